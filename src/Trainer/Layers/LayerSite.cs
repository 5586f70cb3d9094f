namespace MlNetBatchNorm.Trainer;

/// <summary>A layer at its place in a network.</summary>
/// <param name="layer">The layer.</param>
/// <param name="name">Its name there.</param>
/// <param name="input">The shape of a row that goes in.</param>
/// <param name="output">The shape of a row that comes out.</param>
/// <param name="following">The layers behind it, nearest first.</param>
public sealed class LayerSite(Layer layer, string name, SampleShape input, SampleShape output, IReadOnlyList<Layer> following)
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

    /// <summary>Whether it is the first layer of the whole network, which gets the features as they are.</summary>
    public bool IsFirst { get; init; }

    /// <summary>
    /// Whether the next layer takes away any constant added to a channel: a batch normalization. A bias in front of it has zero gradient and
    /// is left out (Ioffe and Szegedy 2015, section 3.2). A frozen one subtracts a mean that does not follow, so the bias counts there.
    /// </summary>
    public bool FeedsBatchNorm => Following is [BatchNormLayer { Frozen: false }, ..];

    /// <summary>The name without those of the layers around it.</summary>
    public string LocalName => Name[(Name.LastIndexOf('/') + 1)..];

    /// <summary>Whether the output reaches a relu kind, perhaps through a batch normalization: then He's initializer fits.</summary>
    public bool FeedsRectifier =>
        Following.SkipWhile(layer => layer is BatchNormLayer).FirstOrDefault() is ActivationLayer { Function.IsRectifier: true };

    /// <summary>The parameters, under their full names, and those of the layers inside.</summary>
    public IReadOnlyList<Parameter> Parameters => _parameters ??=
    [
        .. Layer.Parameters(this).Select(parameter => parameter with { Name = FullName(parameter.Name) }),
        .. Layer.InnerSites(this).SelectMany(site => site.Parameters),
    ];

    /// <summary>The full name of one of the layer's parameters: <c>dense1.weight</c>.</summary>
    public string FullName(string parameter) => $"{Name}.{parameter}";
}
