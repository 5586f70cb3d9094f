namespace MlNetBatchNorm.Trainer;

/// <summary>A layer at its place in a network.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Name">Its name there, unique in the network; a layer inside another has that one's name and a slash in front.</param>
/// <param name="Input">The shape of a row that goes in.</param>
/// <param name="Output">The shape of a row that comes out.</param>
/// <param name="Following">The layers behind it, nearest first.</param>
public sealed record LayerSite(Layer Layer, string Name, SampleShape Input, SampleShape Output, IReadOnlyList<Layer> Following)
{
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
    public IReadOnlyList<Parameter> Parameters =>
    [
        .. Layer.Parameters(this).Select(parameter => parameter with { Name = FullName(parameter.Name) }),
        .. Layer.InnerSites(this).SelectMany(site => site.Parameters),
    ];

    /// <summary>The full name of one of the layer's parameters: <c>dense1.weight</c>.</summary>
    public string FullName(string parameter) => $"{Name}.{parameter}";
}
