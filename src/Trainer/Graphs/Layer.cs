using System.Globalization;
using System.Text;
using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer.Graphs;

/// <summary>
/// One layer of a <see cref="Network"/>: its shapes, its parameters, its equations in training (forward and backward, side by side) and at
/// inference. A new kind of layer is a file with a subclass; see docs/architecture.md.
/// </summary>
internal abstract record Layer
{
    /// <summary>A name for the layer; null = its kind and a number, as <c>dense1</c>.</summary>
    public string? Name { get; init; }

    /// <summary>The kind, as it stands in names and summaries: lower case, one word.</summary>
    public abstract string Kind { get; }

    /// <summary>Whether it is a batch normalization, frozen or not.</summary>
    public virtual bool IsBatchNorm => false;

    /// <summary>Whether it normalizes each channel by the mini-batch, so that a constant added to a channel has no effect.</summary>
    public virtual bool NormalizesByBatch => false;

    /// <summary>Whether it is an activation of the relu kind; He's initializer fits in front of it.</summary>
    public virtual bool IsRectifier => false;

    /// <summary>The shape that comes out of the layer.</summary>
    /// <param name="input">The shape that goes in.</param>
    /// <exception cref="ArgumentException">The layer does not take such a shape; the message says what it takes.</exception>
    public abstract SampleShape OutputShape(SampleShape input);

    /// <summary>The parameters the layer itself has at its place in the network, without those of layers inside it.</summary>
    public virtual IEnumerable<Parameter> Parameters(LayerSite site) => [];

    /// <summary>The layers inside this one, at their places; none for most kinds.</summary>
    /// <param name="site">The place of this layer.</param>
    public virtual IReadOnlyList<LayerSite> InnerSites(LayerSite site) => [];

    /// <summary>
    /// The same layer of several members of an ensemble at once, for rows in which their values stand side by side, <c>[members·C]</c>.
    /// </summary>
    /// <param name="members">How many there are.</param>
    /// <param name="isShared">Whether all members still have the same input, <c>[C]</c>.</param>
    /// <exception cref="ArgumentException">There is no such layer.</exception>
    public virtual Layer SideBySide(int members, bool isShared) => throw new ArgumentException(
        $"A layer of the kind '{Kind}' cannot be a part of an ensemble's members; those that can are dense, batchnorm, dropout and the "
        + "activations.");

    /// <summary>Emits the training forward pass and returns it with its backward pass.</summary>
    /// <param name="graph">The training step.</param>
    /// <param name="site">The layer's place.</param>
    /// <param name="x">The layer's input, <c>[N, …]</c>.</param>
    public abstract Differentiable Train(TrainingGraph graph, LayerSite site, Value x);

    /// <summary>Emits the inference pass.</summary>
    /// <param name="graph">The graph that is built.</param>
    /// <param name="site">The layer's place.</param>
    /// <param name="x">The layer's input, <c>[N, …]</c>.</param>
    public abstract Value Infer(InferenceGraph graph, LayerSite site, Value x);
}

/// <summary>A layer at its place in a network.</summary>
/// <param name="layer">The layer.</param>
/// <param name="name">Its name there.</param>
/// <param name="input">The shape of a row that goes in.</param>
/// <param name="output">The shape of a row that comes out.</param>
/// <param name="following">The layers behind it, nearest first.</param>
internal sealed class LayerSite(Layer layer, string name, SampleShape input, SampleShape output, IReadOnlyList<Layer> following)
{
    private IReadOnlyList<Parameter>? _parameters;

    /// <summary>The layer.</summary>
    public Layer Layer { get; } = layer;

    /// <summary>Its name there, unique in the network; a layer inside another has that one's name and a slash in front.</summary>
    public string Name { get; } = name;

    /// <summary>The shape of a row that goes in.</summary>
    public SampleShape Input { get; } = input;

    /// <summary>The shape of a row that comes out.</summary>
    public SampleShape Output { get; } = output;

    /// <summary>The layers behind it, nearest first.</summary>
    public IReadOnlyList<Layer> Following { get; } = following;

    /// <summary>
    /// Whether the next layer takes away any constant added to a channel: a batch normalization. A bias in front of it has zero gradient
    /// and is left out (Ioffe and Szegedy 2015, section 3.2). A frozen one subtracts a mean that does not follow, so the bias counts there.
    /// </summary>
    public bool FeedsBatchNorm => Following is [{ NormalizesByBatch: true }, ..];

    /// <summary>The name without those of the layers around it.</summary>
    public string LocalName => Name[(Name.LastIndexOf('/') + 1)..];

    /// <summary>Whether the output reaches a relu kind, perhaps through a batch normalization: then He's initializer fits.</summary>
    public bool FeedsRectifier =>
        Following.SkipWhile(layer => layer.IsBatchNorm).FirstOrDefault() is { IsRectifier: true };

    /// <summary>The first weights that fit there: He's before a relu kind, Glorot's otherwise.</summary>
    public Initializer FirstWeights => FeedsRectifier ? Initializer.HeNormal : Initializer.GlorotUniform;

    /// <summary>The parameters, under their full names, and those of the layers inside.</summary>
    public IReadOnlyList<Parameter> Parameters => _parameters ??=
    [
        .. Layer.Parameters(this).Select(parameter => parameter with { Name = FullName(parameter.Name) }),
        .. Layer.InnerSites(this).SelectMany(site => site.Parameters),
    ];

    /// <summary>The full name of one of the layer's parameters: <c>dense1.weight</c>.</summary>
    public string FullName(string parameter) => $"{Name}.{parameter}";
}

/// <summary>
/// Layers one behind the other and the shape of a row that goes in: names, shapes and places follow from that. Immutable; what a network
/// and the body of a residual block have in common.
/// </summary>
internal sealed class LayerStack
{
    private readonly Layer[] _layers;

    /// <summary>Puts layers at their places.</summary>
    /// <exception cref="ArgumentException">A layer does not take the shape that comes in, or its name is taken.</exception>
    public LayerStack(SampleShape inputShape, params Layer[] layers)
    {
        InputShape = inputShape;
        _layers = layers;
        Sites = Bind(inputShape, layers);
    }

    /// <summary>The shape of a row that goes in.</summary>
    public SampleShape InputShape { get; }

    /// <summary>The shape of a row that comes out.</summary>
    public SampleShape OutputShape => Sites.Count == 0 ? InputShape : Sites[^1].Output;

    /// <summary>The layers at their places, in order.</summary>
    public IReadOnlyList<LayerSite> Sites { get; }

    /// <summary>All layers, those inside other layers directly behind the one that they are in.</summary>
    public IEnumerable<LayerSite> AllSites => Sites.SelectMany(WithInner);

    /// <summary>All parameters, in the order of the layers.</summary>
    public IReadOnlyList<Parameter> Parameters => [.. Sites.SelectMany(site => site.Parameters)];

    /// <summary>The same with one more layer.</summary>
    /// <exception cref="ArgumentException">The layer does not take the shape that comes in, or its name is taken.</exception>
    public LayerStack Add(Layer layer) => new(InputShape, [.. _layers, layer]);

    /// <summary>The same with another name for the last layer.</summary>
    /// <exception cref="ArgumentException">The name is taken.</exception>
    public LayerStack NameLast(string name) => new(InputShape, [.. _layers[..^1], _layers[^1] with { Name = name }]);

    /// <summary>The same layers as the inside of another layer.</summary>
    /// <param name="outer">The name of the place of the other layer.</param>
    public IReadOnlyList<LayerSite> SitesInside(string outer) =>
        [.. Sites.Select(site => new LayerSite(site.Layer, $"{outer}/{site.Name}", site.Input, site.Output, site.Following))];

    /// <summary>A table of the layers: name, output shape, parameters.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        Row("layer", "output", "parameters");
        Row("input", InputShape.ToString(), "0");
        foreach (var site in AllSites)
            Row(site.Name, site.Output.ToString(), Count(site));
        Row("total", string.Empty, Parameters.Sum(parameter => (long)parameter.Count).ToString("N0", CultureInfo.InvariantCulture));
        return text.ToString();

        // The parameters of a layer with others inside stand in their rows.
        static string Count(LayerSite site) =>
            (site.Layer.InnerSites(site).Count > 0 ? 0 : site.Parameters.Sum(parameter => (long)parameter.Count)).ToString(
                "N0", CultureInfo.InvariantCulture);

        void Row(string name, string shape, string count) =>
            text.Append(CultureInfo.InvariantCulture, $"{name,-32} {shape,-16} {count,12}\n");
    }

    private static IEnumerable<LayerSite> WithInner(LayerSite site) => [site, .. site.Layer.InnerSites(site).SelectMany(WithInner)];

    private static LayerSite[] Bind(SampleShape input, Layer[] layers)
    {
        var sites = new LayerSite[layers.Length];
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        var names = new HashSet<string>(StringComparer.Ordinal);
        var shape = input;
        for (var i = 0; i < layers.Length; i++)
        {
            var layer = layers[i];
            var number = counts[layer.Kind] = counts.GetValueOrDefault(layer.Kind) + 1;
            var name = layer.Name ?? string.Create(CultureInfo.InvariantCulture, $"{layer.Kind}{number}");
            if (!names.Add(name)) throw new ArgumentException($"Two layers are named '{name}'; give one of them another name.");
            SampleShape output;
            try
            {
                output = layer.OutputShape(shape);
            }
            catch (ArgumentException exception)
            {
                throw new ArgumentException($"Layer '{name}' does not fit: {exception.Message}", exception);
            }

            sites[i] = new LayerSite(layer, name, shape, output, layers[(i + 1)..]);
            shape = output;
        }

        return sites;
    }
}
