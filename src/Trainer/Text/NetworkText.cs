using System.Text;

namespace MlNetBatchNorm.Trainer;

/// <summary>
/// Networks as text, a line for each layer. What is special is the residual block: <c>residual</c>, the lines of its body, perhaps
/// <c>around</c> and the lines of the way around it, and <c>end</c>.
/// </summary>
internal static class NetworkText
{
    private const string Residual = "residual", Around = "around", End = "end";

    public static Network Read(string text, SampleShape input)
    {
        var lines = new Queue<LayerStatement>(LayerStatement.ReadAll(text));
        if (lines.Count == 0) throw new FormatException($"There are no layers in the text; write one on each line, as 'dense 64'. The kinds are {string.Join(", ", LayerForm.Keywords)}, residual.");
        var network = ReadLayers(lines, Network.Input([.. input.Sizes]));
        return lines.TryDequeue(out var rest) ? throw rest.Error($"there is no '{Residual}' before it that it could belong to.") : network;
    }

    public static string Write(Network network)
    {
        var text = new StringBuilder();
        WriteLayers(text, network, indent: 0);
        return text.ToString();
    }

    // Up to the end of the text, or to a line that ends a block.
    private static Network ReadLayers(Queue<LayerStatement> lines, Network network)
    {
        while (lines.TryPeek(out var line) && line.Keyword is not (Around or End))
        {
            lines.Dequeue();
            var layer = line.Keyword == Residual ? ReadBlock(lines, line, network.OutputShape) : LayerForm.ToLayer(line);
            try
            {
                network = network.Add(layer);
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
        var block = new ResidualLayer(ReadLayers(lines, empty)) { Name = start.Option("name") };
        if (!start.IsUsedUp(out var rest)) throw start.Error($"'{rest}' is too much; expected: {Residual} [name=NAME], and its layers on the lines below.");
        if (lines.TryPeek(out var next) && next.Keyword == Around)
        {
            RequireAlone(lines.Dequeue());
            block = block with { Projection = ReadLayers(lines, empty) };
        }

        if (!lines.TryDequeue(out var end)) throw start.Error($"the block has no '{End}'.");
        if (end.Keyword != End) throw end.Error($"'{End}' was expected: a block has one '{Around}' at most.");
        RequireAlone(end);
        return block;
    }

    private static void RequireAlone(LayerStatement line)
    {
        if (!line.IsUsedUp(out var rest)) throw line.Error($"'{rest}' is too much; '{line.Keyword}' stands alone on its line.");
    }

    private static void WriteLayers(StringBuilder text, Network network, int indent)
    {
        foreach (var layer in network.Sites.Select(site => site.Layer))
        {
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
