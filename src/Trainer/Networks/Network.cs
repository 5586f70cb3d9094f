using System.Diagnostics.CodeAnalysis;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Layers;
using MlNetBatchNorm.Trainer.Networks;
using MlNetBatchNorm.Trainer.Text;

namespace MlNetBatchNorm;

/// <summary>
/// An architecture: the shape of a row and a list of layers. It reads like a table of layers, and each call checks that the shapes fit:
/// <code>
/// var network = Network.Input(20).Dense(64).BatchNorm().Relu().Dense(1);
/// </code>
/// A network is immutable, and may be used by several threads; every call returns a longer one.
/// </summary>
public sealed partial class Network
{
    private Network(LayerStack stack) => Stack = stack;

    /// <summary>The shape of a row that goes in.</summary>
    public SampleShape InputShape => Stack.InputShape;

    /// <summary>The shape of a row that comes out.</summary>
    public SampleShape OutputShape => Stack.OutputShape;

    /// <summary>The layers in order; those inside a residual block directly behind it.</summary>
    public IReadOnlyList<LayerInfo> Layers => [.. AllSites.Select(site => new LayerInfo(site))];

    /// <summary>How many numbers training learns: weights, biases, gammas and betas. Running means and variances are not counted.</summary>
    public long ParameterCount =>
        Parameters.Where(parameter => parameter.Role != ParameterRole.Statistic).Sum(parameter => (long)parameter.Count);

    /// <summary>The layers, bound to the shape of a row.</summary>
    internal LayerStack Stack { get; }

    /// <summary>The layers at their places, in order.</summary>
    internal IReadOnlyList<LayerSite> Sites => Stack.Sites;

    /// <summary>All layers, those inside other layers directly behind the one that they are in.</summary>
    internal IEnumerable<LayerSite> AllSites => Stack.AllSites;

    /// <summary>All parameters, in the order of the layers.</summary>
    internal IReadOnlyList<Parameter> Parameters => Stack.Parameters;

    /// <summary>The ensemble that the network ends with; null = it ends otherwise.</summary>
    internal MembersLayer? Ensemble => Sites is [.., { Layer: MembersLayer members }] ? members : null;

    /// <summary>The members of the ensemble that the network ends with; 1 = it ends otherwise.</summary>
    internal int MemberCount => Ensemble?.Count ?? 1;

    /// <summary>Whether the members of the ensemble that it ends with learn by themselves: nothing that is trained is of several.</summary>
    internal bool LearnsByMember => Ensemble is { Shared: false }
        && Sites.SkipLast(1).All(site => site.Parameters.All(parameter => parameter.Role == ParameterRole.Statistic));

    /// <summary>
    /// The layers up to what each member of the ensemble gives, <c>[MemberCount·K]</c>; without one, all layers.
    /// </summary>
    internal IReadOnlyList<LayerSite> SitesOfMembers =>
        Ensemble is { } ensemble ? [.. Sites.SkipLast(1), .. ensemble.InnerSites(Sites[^1])] : Sites;

    /// <summary>The layers behind the first ones, for rows of the shape that they get.</summary>
    internal Network Skip(int count) =>
        Sites.Skip(count).Aggregate(Input([.. Sites[count].Input.Sizes]), (network, site) => network.Add(site.Layer));

    /// <summary>The same layers for rows of another shape, behind others.</summary>
    internal Network Behind(Network first) => Sites.Aggregate(first, (network, site) => network.Add(
        site.Layer is MembersLayer members ? members.For(network.OutputShape) : site.Layer));

    /// <summary>The same layers for encoded rows, behind what encodes them.</summary>
    internal Network On(EncodedNumbers encoding, NumericEncoding kind, IReadOnlyList<EmbeddedCategory> categories)
    {
        var first = Input(encoding.Inputs).Add(new NumericEncodingLayer(encoding));
        var learned = new List<Layer>();
        if (kind.Frequencies > 0 && encoding.Numbers.Length is > 0 and <= NumericEncoding.MostNumbers)
            learned.Add(new PeriodicLayer(encoding.Numbers.Length, kind.Frequencies, kind.Deviation));
        if (categories.Count > 0) learned.Add(new EmbeddingLayer(categories));
        if (learned.Count == 0) return Behind(first);

        // What all members learned together would have learned from every row.
        return Sites is [{ Layer: MembersLayer { Shared: false } members }]
            ? first.Add(members.For(first.OutputShape, learned))
            : Behind(learned.Aggregate(first, (network, layer) => network.Add(layer)));
    }

    /// <summary>
    /// The fewest rows that a mini-batch may have: 2 where a batch normalization sees one value of a channel for each row, which alone has
    /// no variance; 1 otherwise.
    /// </summary>
    internal int MinimumBatchRows => AllSites.Any(site => site.Layer.NormalizesByBatch && site.Input.Positions == 1) ? 2 : 1;

    /// <summary>Whether there is a batch normalization whose statistics follow the data.</summary>
    internal bool HasStatistics => AllSites.Any(site => site.Layer.NormalizesByBatch);

    /// <summary>Starts a network.</summary>
    /// <param name="shape">
    /// The shape of a row: features, or channels first with positions behind (<c>3, 32, 32</c>). One to three sizes above 0.
    /// </param>
    /// <exception cref="ArgumentException">It is no such shape.</exception>
    public static Network Input(params long[] shape) => new(new LayerStack(new SampleShape(shape)));

    /// <summary>
    /// The usual network for tables: for each hidden layer dense, normalization and activation, then a dense layer with
    /// <paramref name="outputs"/> units.
    /// </summary>
    /// <param name="features">Features in a row.</param>
    /// <param name="hidden">Units in each hidden layer, first to last; may be empty.</param>
    /// <param name="outputs">Values that come out for a row.</param>
    /// <param name="activation">The activation behind each hidden layer; null = relu.</param>
    /// <param name="normalization">The normalization of each hidden layer; null = a batch normalization with its defaults.</param>
    /// <param name="placement">
    /// Whether it stands before the activation, as in the paper, or after it; null = as the options of the batch normalization say, which
    /// by default is before.
    /// </param>
    /// <param name="dropout">
    /// The rate of a dropout in front of the last layer (behind every batch normalization), below 1. Default: 0, none.
    /// </param>
    /// <param name="weights">The first weights of every dense layer; null = He in front of a relu kind, Glorot otherwise.</param>
    /// <param name="hiddenDropout">
    /// The rate of a dropout behind each hidden layer but the last, in front of the next one's batch normalization, below 1: keep it at
    /// 0.05 or less there. Default: 0, none.
    /// </param>
    /// <exception cref="ArgumentException">A number is out of its range.</exception>
    public static Network FeedForward(
        int features,
        IReadOnlyList<int> hidden,
        int outputs,
        Activation? activation = null,
        Normalization? normalization = null,
        BatchNormPlacement? placement = null,
        float dropout = 0,
        Initializer? weights = null,
        float hiddenDropout = 0)
    {
        ArgumentNullException.ThrowIfNull(hidden);
        normalization ??= Normalization.Batch();
        var place = placement ?? normalization.Placement;
        if (!Enum.IsDefined(place))
            throw new ArgumentOutOfRangeException(nameof(placement), place, "A normalization stands before or after the activation.");
        var function = activation ?? MlNetBatchNorm.Activation.Relu;
        var network = Input(features);
        foreach (var (index, units) in hidden.Index())
        {
            if (index > 0 && hiddenDropout > 0) network = network.Dropout(hiddenDropout);
            network = network.Dense(units, weights: weights);
            var layer = normalization.CreateLayer();
            if (layer is not null && place == BatchNormPlacement.BeforeActivation) network = network.Add(layer);
            network = network.Activation(function);
            if (layer is not null && place == BatchNormPlacement.AfterActivation) network = network.Add(layer);
        }

        if (dropout > 0) network = network.Dropout(dropout);
        return network.Dense(outputs, weights: weights);
    }

    /// <summary>
    /// Reads an architecture from a text that reads like the calls of the builder: a layer on each line, or several with semicolons between
    /// them, numbers in order, options as <c>name=value</c>; <c>#</c> begins a comment. All of it is in docs/networks.md.
    /// <code>
    /// conv2d 16 3              # channels, kernel; [stride=1] [padding=KERNEL/2] [groups=1] [bias=yes|no] [init=he]
    /// batchnorm                # [epsilon=1e-5] [scale=no] [center=no] [zerogamma=yes] [frozen=yes] [ghost=32]
    /// relu                     # leakyrelu[:0.01], gelu, silu, softplus, sigmoid, tanh, identity
    /// residual
    ///   conv2d 32 3 stride=2
    ///   batchnorm zerogamma=yes
    /// around                   # only where the body changes the shape
    ///   conv2d 32 1 stride=2
    /// end
    /// globalaveragepool        # maxpool 2, averagepool 3 stride=2 padding=1, flatten
    /// dropout 0.2              # layernorm, groupnorm 8, conv1d 16 3
    /// dense 10                 # [bias=yes|no] [init=glorot]
    /// </code>
    /// </summary>
    /// <param name="text">The layers. Every one can be given a name: <c>dense 64 name=first</c>.</param>
    /// <param name="inputShape">The shape of a row: features, or channels first with positions behind.</param>
    /// <exception cref="FormatException">
    /// The text is not such a list, or a layer does not fit the one before; the message names the line.
    /// </exception>
    public static Network Parse(string text, params long[] inputShape)
    {
        ArgumentNullException.ThrowIfNull(text);
        return NetworkText.Read(text, new SampleShape(inputShape));
    }

    /// <summary>Reads a text as <see cref="Parse"/> does, without an exception.</summary>
    /// <param name="text">The layers; null is none.</param>
    /// <param name="network">The network; null when the text could not be read.</param>
    /// <param name="inputShape">The shape of a row: features, or channels first with positions behind.</param>
    /// <returns>Whether it could be read.</returns>
    public static bool TryParse(string? text, [NotNullWhen(true)] out Network? network, params long[] inputShape) =>
        Choice.TryParse(layers => Parse(layers, inputShape), text, out network);

    /// <summary>The architecture as a text that <see cref="Parse"/> reads, a line for each layer. The input's shape is not in it.</summary>
    public override string ToString() => NetworkText.Write(this);

    /// <summary>A table of the layers for people: name, shape of a row that comes out, numbers (running statistics included).</summary>
    public string Summary() => Stack.ToString();

    /// <summary>Adds a layer.</summary>
    /// <exception cref="ArgumentException">The layer does not take the shape that comes in, or its name is taken.</exception>
    internal Network Add(Layer layer)
    {
        ArgumentNullException.ThrowIfNull(layer);
        return new Network(Stack.Add(layer));
    }

    /// <summary>
    /// One thread unless a step has enough arithmetic: below about four million multiplications, waking a second thread for each small
    /// operator costs more than it brings (measured: 20-64-32-2 at 128 rows is fastest on one, 784-100-100-100-10 at 60 on two;
    /// convolutional networks change over at the same place, eleven small ones between 3 and 9 million, where it matters little).
    /// </summary>
    internal int ThreadsFor(int batchSize)
    {
        // A kernel is used at every position of its output.
        var products =
            from site in AllSites
            from parameter in site.Layer.Parameters(site)
            where parameter.Role == ParameterRole.Weight
            select site.Output.Positions * parameter.Count;
        return 3 * products.Sum() * batchSize < 4_000_000 ? 1 : Environment.ProcessorCount;
    }
}

/// <summary>A layer of a <see cref="Network"/>, as it can be read.</summary>
public sealed class LayerInfo
{
    internal LayerInfo(LayerSite site)
    {
        (Name, Kind, OutputShape) = (site.Name, site.Layer.Kind, site.Output);
        // Those of the layers inside it are in their own places.
        var own = site.Layer.Parameters(site).Where(parameter => parameter.Role != ParameterRole.Statistic);
        ParameterCount = own.Sum(parameter => (long)parameter.Count);
    }

    /// <summary>Its name, unique in the network: <c>dense1</c>, <c>residual1/conv2</c>.</summary>
    public string Name { get; }

    /// <summary>Its kind, one word in lower case: <c>dense</c>, <c>batchnorm</c>, <c>relu</c>.</summary>
    public string Kind { get; }

    /// <summary>The shape of a row that comes out.</summary>
    public SampleShape OutputShape { get; }

    /// <summary>How many numbers it learns; without running statistics and without the layers inside it.</summary>
    public long ParameterCount { get; }

    /// <inheritdoc/>
    public override string ToString() => $"{Name} {OutputShape}";
}
