using System.Text;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Layers;

namespace MlNetBatchNorm.Trainer.Networks;

/// <summary>
/// Networks as text, a line for each layer. What is special are blocks: <c>residual</c>, the lines of its body, perhaps <c>around</c> and
/// the lines of the way around it, and <c>end</c>; and <c>members COUNT</c>, the lines of one member, and <c>end</c>.
/// </summary>
internal static class NetworkText
{
    private const string Residual = "residual", Around = "around", Members = "members", End = "end";

    public static Network Read(string text, SampleShape input)
    {
        var lines = new Queue<LayerStatement>(LayerStatement.ReadAll(text));
        if (lines.Count == 0)
            throw new FormatException(
                $"There are no layers in the text; write one on each line, as 'dense 64'. The kinds are "
                + $"{string.Join(", ", LayerForm.Keywords)}, {LayerForm.Blocks}.");
        var network = ReadLayers(lines, Network.Input([.. input.Sizes]));
        if (!lines.TryDequeue(out var rest)) return network;
        var blocks = rest.Keyword == End ? $"'{Residual}' or '{Members}'" : $"'{Residual}'";
        throw rest.Error($"there is no {blocks} before it that it could belong to.");
    }

    public static string Write(Network network)
    {
        var text = new StringBuilder();
        WriteLayers(text, network.Stack, indent: 0);
        return text.ToString();
    }

    // Up to the end of the text, or to a line that ends a block.
    private static Network ReadLayers(Queue<LayerStatement> lines, Network network)
    {
        while (lines.TryPeek(out var line) && line.Keyword is not (Around or End))
        {
            lines.Dequeue();
            try
            {
                network = network.Add(line.Keyword switch
                {
                    Residual => ReadBlock(lines, line, network.OutputShape),
                    Members => ReadMembers(lines, line, network.OutputShape),
                    _ => LayerForm.ToLayer(line),
                });
            }
            catch (ArgumentException exception)
            {
                throw line.Error(exception.Message, exception);
            }
        }

        return network;
    }

    private static ResidualLayer ReadBlock(Queue<LayerStatement> lines, LayerStatement start, SampleShape input)
    {
        var empty = Network.Input([.. input.Sizes]);
        var block = new ResidualLayer(ReadLayers(lines, empty).Stack) { Name = start.Option("name") };
        if (!start.IsUsedUp(out var rest))
            throw start.Error($"'{rest}' is too much; expected: {Residual} [name=NAME], and its layers on the lines below.");
        if (lines.TryPeek(out var next) && next.Keyword == Around)
        {
            RequireAlone(lines.Dequeue());
            block = block with { Projection = ReadLayers(lines, empty).Stack };
        }

        if (!lines.TryDequeue(out var end)) throw start.Error($"the block has no '{End}'.");
        if (end.Keyword != End) throw end.Error($"'{End}' was expected: a block has one '{Around}' at most.");
        RequireAlone(end);
        return block;
    }

    private static MembersLayer ReadMembers(Queue<LayerStatement> lines, LayerStatement start, SampleShape input)
    {
        const string usage = $"expected: {Members} COUNT [shared=yes|no] [name=NAME], and the layers of one member on the lines below.";
        int count;
        try
        {
            count = start.Count("COUNT");
        }
        catch (FormatException exception)
        {
            throw start.Error($"{exception.Message.TrimEnd('.')}; {usage}", exception);
        }

        var name = start.Option("name");
        var shared = start.FlagOption("shared") ?? false;
        if (!start.IsUsedUp(out var rest)) throw start.Error($"'{rest}' is too much; {usage}");
        var body = ReadLayers(lines, Network.Input([.. input.Sizes])).Stack;
        if (!lines.TryDequeue(out var end)) throw start.Error($"the block has no '{End}'.");
        if (end.Keyword != End) throw end.Error($"'{End}' was expected.");
        RequireAlone(end);
        return new MembersLayer(count, body, shared) { Name = name };
    }

    private static void RequireAlone(LayerStatement line)
    {
        if (!line.IsUsedUp(out var rest)) throw line.Error($"'{rest}' is too much; '{line.Keyword}' stands alone on its line.");
    }

    private static void WriteLayers(StringBuilder text, LayerStack stack, int indent)
    {
        foreach (var layer in stack.Sites.Select(site => site.Layer))
        {
            if (layer is NumericEncodingLayer { Encoding: var encoding })
            {
                // For people: it is made of the rows anew, by the options of the training.
                Line($"# numbers: {encoding.Numbers.Length} smooth, {encoding.Lower.Length} bins, {encoding.Flags.Length} flags", indent);
                continue;
            }

            if (layer is PeriodicLayer waves)
            {
                Line($"# periodic: {waves.Numbers} numbers, {waves.Frequencies} frequencies each", indent);
                continue;
            }

            if (layer is EmbeddingLayer embedding)
            {
                var sizes = embedding.Categories.Select(category => $"{category.Levels} in {category.Dimension}");
                Line($"# embedding: {string.Join(", ", sizes)}", indent);
                continue;
            }

            if (layer is MembersLayer members)
            {
                var start = new LayerLine(Members).Value(members.Count).Flag("shared", members.Shared, false);
                Line(LayerForm.Named(start, members).ToString(), indent);
                WriteLayers(text, members.Body, indent + 1);
                Line(End, indent);
                continue;
            }

            if (layer is not ResidualLayer block)
            {
                Line(LayerForm.ToLine(layer), indent);
                continue;
            }

            Line(LayerForm.Named(new LayerLine(Residual), block).ToString(), indent);
            WriteLayers(text, block.Body, indent + 1);
            if (block.Projection is { } projection)
            {
                Line(Around, indent);
                WriteLayers(text, projection, indent + 1);
            }

            Line(End, indent);
        }

        void Line(string line, int depth) => text.Append(' ', 2 * depth).Append(line).Append('\n');
    }
}

/// <summary>How one kind of layer is written: the two directions side by side.</summary>
/// <param name="Keyword">The first word of its line.</param>
/// <param name="Usage">What stands behind it, for messages.</param>
/// <param name="Read">Makes the layer from the rest of its line.</param>
/// <param name="Matches">Whether a layer is of this kind.</param>
/// <param name="Write">Writes the rest of its line.</param>
internal sealed record LayerForm(
    string Keyword, string Usage, Func<LayerStatement, Layer> Read, Func<Layer, bool> Matches, Action<Layer, LayerLine> Write)
{
    private const float Epsilon = 1e-5f;

    private static readonly LayerForm[] All =
    [
        Of<DenseLayer>(
            "dense", "UNITS [bias=yes|no] [init=WEIGHTS]",
            line => new(line.Count("UNITS")) { Bias = line.FlagOption("bias"), WeightInitializer = Weights(line) },
            (layer, line) => line.Value(layer.Units).Flag("bias", layer.Bias, null).Option("init", layer.WeightInitializer?.ToString())),
        Convolution(1),
        Convolution(2),
        Of<BatchNormLayer>(
            "batchnorm", "[epsilon=1e-5] [scale=yes|no] [center=yes|no] [zerogamma=yes|no] [frozen=yes|no] [ghost=ROWS]",
            line => new()
            {
                Epsilon = line.NumberOption("epsilon") ?? Epsilon,
                Scale = line.FlagOption("scale") ?? true,
                Center = line.FlagOption("center") ?? true,
                ZeroGamma = line.FlagOption("zerogamma") ?? false,
                Frozen = line.FlagOption("frozen") ?? false,
                GhostBatchSize = line.CountOption("ghost"),
            },
            (layer, line) => line.Number("epsilon", layer.Epsilon, Epsilon)
                .Flag("scale", layer.Scale, true).Flag("center", layer.Center, true)
                .Flag("zerogamma", layer.ZeroGamma, false).Flag("frozen", layer.Frozen, false).Whole("ghost", layer.GhostBatchSize, null)),
        Of<LayerNormLayer>(
            "layernorm", "[epsilon=1e-5]",
            line => new() { Epsilon = line.NumberOption("epsilon") ?? Epsilon },
            (layer, line) => line.Number("epsilon", layer.Epsilon, Epsilon)),
        Of<GroupNormLayer>(
            "groupnorm", "GROUPS [epsilon=1e-5]",
            line => new(line.Count("GROUPS")) { Epsilon = line.NumberOption("epsilon") ?? Epsilon },
            (layer, line) => line.Value(layer.Groups).Number("epsilon", layer.Epsilon, Epsilon)),
        Of<GroupedDenseLayer>(
            "groupeddense", "GROUPS UNITS [bias=yes|no] [init=WEIGHTS]",
            line => new(line.Count("GROUPS"), line.Count("UNITS")) { Bias = line.FlagOption("bias"), WeightInitializer = Weights(line) },
            (layer, line) => line.Value(layer.Groups).Value(layer.Units)
                .Flag("bias", layer.Bias, null).Option("init", layer.WeightInitializer?.ToString())),
        Of<DropoutLayer>("dropout", "RATE", line => new(line.Number("RATE")), (layer, line) => line.Value(layer.Rate)),
        Pooling(
            "maxpool",
            (size, stride, padding) => new MaxPoolLayer(size) { Stride = stride, Padding = padding },
            layer => (layer.Size, layer.Stride, layer.Padding)),
        Pooling(
            "averagepool",
            (size, stride, padding) => new AveragePoolLayer(size) { Stride = stride, Padding = padding },
            layer => (layer.Size, layer.Stride, layer.Padding)),
        Of<GlobalAveragePoolLayer>("globalaveragepool", string.Empty, _ => new(), (_, _) => { }),
        Of<FlattenLayer>("flatten", string.Empty, _ => new(), (_, _) => { }),
    ];

    /// <summary>The keywords of layers that are written over several lines.</summary>
    public const string Blocks = "residual … around … end, members … end";

    /// <summary>The keywords of all other layers.</summary>
    public static IEnumerable<string> Keywords => All.Select(form => form.Keyword).Concat(Activation.Names);

    /// <summary>Makes the layer that a line describes.</summary>
    /// <exception cref="FormatException">There is no such layer, or not with such values; line and expected form are named.</exception>
    public static Layer ToLayer(LayerStatement line)
    {
        var form = All.FirstOrDefault(form => form.Keyword == line.Keyword) ?? ActivationForm(line);
        Layer layer;
        try
        {
            layer = form.Read(line) with { Name = line.Option("name") };
        }
        catch (Exception exception) when (exception is FormatException or ArgumentException)
        {
            throw line.Error($"{exception.Message.TrimEnd('.')}; expected: {form.Expected}", exception);
        }

        return line.IsUsedUp(out var rest) ? layer : throw line.Error($"'{rest}' is too much; expected: {form.Expected}");
    }

    /// <summary>The line that describes a layer.</summary>
    /// <exception cref="NotSupportedException">There is no way to write it.</exception>
    public static string ToLine(Layer layer)
    {
        if (layer is ActivationLayer { Function: var function }) return Named(new LayerLine(function.ToString()), layer).ToString();
        var form = All.FirstOrDefault(form => form.Matches(layer))
            ?? throw new NotSupportedException(
                $"A layer of the kind '{layer.Kind}' cannot be written as text; the kinds that can are {string.Join(", ", Keywords)}, "
                + $"{Blocks}.");
        var line = new LayerLine(form.Keyword);
        form.Write(layer, line);
        return Named(line, layer).ToString();
    }

    /// <summary>Adds a layer's name, where it has one of its own.</summary>
    /// <exception cref="NotSupportedException">The name has characters that mean something in the text.</exception>
    public static LayerLine Named(LayerLine line, Layer layer) =>
        layer.Name is { } name && (name.Length == 0 || name.Any(c => char.IsWhiteSpace(c) || c is ';' or '#'))
        ? throw new NotSupportedException(
            $"The layer name '{name}' cannot be written as text; give the layer a name without white space, ';' and '#'.")
        : line.Option("name", layer.Name);

    private string Expected => $"{Keyword} {Usage} [name=NAME]".Replace("  ", " ", StringComparison.Ordinal);

    private static LayerForm Of<TLayer>(string keyword, string usage, Func<LayerStatement, TLayer> read, Action<TLayer, LayerLine> write)
        where TLayer : Layer =>
        new(keyword, usage, read, layer => layer is TLayer, (layer, line) => write((TLayer)layer, line));

    private static LayerForm Convolution(int axes) => Of<ConvolutionLayer>(
        $"conv{axes}d", "CHANNELS KERNEL [stride=1] [padding=KERNEL/2] [groups=1] [bias=yes|no] [init=WEIGHTS]",
        line =>
        {
            var channels = line.Count("CHANNELS");
            var kernel = line.Sizes("KERNEL", axes);
            return new ConvolutionLayer(channels, kernel)
            {
                Stride = line.CountOption("stride") ?? 1,
                Padding = line.WholeOption("padding") ?? (kernel[0] / 2),
                Groups = line.CountOption("groups") ?? 1,
                Bias = line.FlagOption("bias"),
                WeightInitializer = Weights(line),
            };
        },
        (layer, line) => line.Value(layer.Channels).Sizes(layer.Kernel)
            .Whole("stride", layer.Stride, 1).Whole("padding", layer.Padding, layer.Kernel[0] / 2)
            .Whole("groups", layer.Groups, 1).Flag("bias", layer.Bias, null).Option("init", layer.WeightInitializer?.ToString())) with
    {
        Matches = layer => layer is ConvolutionLayer convolution && convolution.Kernel.Count == axes,
    };

    private static LayerForm Pooling<TLayer>(
        string keyword, Func<int, int, int, TLayer> create, Func<TLayer, (int Size, int Stride, int Padding)> values)
        where TLayer : Layer => Of<TLayer>(
        keyword, "SIZE [stride=SIZE] [padding=0]",
        line =>
        {
            var size = line.Count("SIZE");
            return create(size, line.CountOption("stride") ?? size, line.WholeOption("padding") ?? 0);
        },
        (layer, line) =>
        {
            var (size, stride, padding) = values(layer);
            line.Value(size).Whole("stride", stride, size).Whole("padding", padding, 0);
        });

    private static LayerForm ActivationForm(LayerStatement line)
    {
        if (!Activation.Names.Contains(line.Keyword.Split(':')[0]))
            throw line.Error($"'{line.Keyword}' is not a layer; expected one of {string.Join(", ", Keywords)}, {Blocks}.");
        return new(
            line.Keyword, string.Empty, statement => new ActivationLayer(Activation.Parse(statement.Keyword)), _ => false, (_, _) => { });
    }

    private static Initializer? Weights(LayerStatement line) => line.Option("init") is { } text ? Initializer.Parse(text) : null;
}
