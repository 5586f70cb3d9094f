using System.Globalization;
using System.Text;

namespace MlNetBatchNorm.Trainer;

/// <summary>
/// An architecture: the shape of a row and a list of layers. It reads like a table of layers, and each call checks that the shapes fit:
/// <code>
/// var network = Network.Input(20).Dense(64).BatchNorm().Activation(Activation.Relu).Dense(1);
/// </code>
/// A network is immutable; every call returns a longer one.
/// </summary>
public sealed partial class Network
{
    private readonly Layer[] _layers;

    private Network(SampleShape inputShape, Layer[] layers)
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

    /// <summary>
    /// The fewest rows that a mini-batch may have: 2 where a batch normalization sees one value of a channel for each row, which alone has no
    /// variance; 1 otherwise.
    /// </summary>
    public int MinimumBatchRows =>
        AllSites.Any(site => site.Layer is BatchNormLayer { Frozen: false } && site.Input.Positions == 1) ? 2 : 1;

    /// <summary>Whether there is a batch normalization whose statistics follow the data.</summary>
    public bool HasStatistics => AllSites.Any(site => site.Layer is BatchNormLayer { Frozen: false });

    /// <summary>All parameters, in the order of the layers.</summary>
    public IReadOnlyList<Parameter> Parameters => [.. Sites.SelectMany(site => site.Parameters)];

    /// <summary>Starts a network.</summary>
    /// <param name="shape">The shape of a row: features, or channels first with positions behind.</param>
    public static Network Input(params long[] shape) => new(new SampleShape(shape), []);

    /// <summary>
    /// The usual network for tables: for each hidden layer dense, batch normalization and activation, then a dense layer with
    /// <paramref name="outputs"/> units.
    /// </summary>
    /// <param name="features">Features in a row.</param>
    /// <param name="hidden">Units in each hidden layer, first to last; may be empty.</param>
    /// <param name="outputs">Values that come out for a row.</param>
    /// <param name="activation">The activation behind each hidden layer; null = relu.</param>
    /// <param name="normalization">The normalization of each hidden layer; null = a batch normalization with its defaults.</param>
    /// <param name="placement">Whether it stands before the activation (default, as in the paper) or after it.</param>
    /// <param name="dropout">The rate of a dropout in front of the last layer (behind every batch normalization). Default: 0.</param>
    /// <param name="weights">The first weights of every dense layer; null = He in front of a relu kind, Glorot otherwise.</param>
    public static Network ForTable(
        int features,
        IReadOnlyList<int> hidden,
        int outputs,
        Activation? activation = null,
        Layer? normalization = null,
        BatchNormPlacement placement = BatchNormPlacement.BeforeActivation,
        float dropout = 0,
        Initializer? weights = null)
    {
        ArgumentNullException.ThrowIfNull(hidden);
        var network = Input(features);
        foreach (var units in hidden)
        {
            var norm = normalization ?? new BatchNormLayer();
            var function = new ActivationLayer(activation ?? Trainer.Activation.Relu);
            network = network.Add(new DenseLayer(units) { WeightInitializer = weights });
            network = placement switch
            {
                BatchNormPlacement.BeforeActivation => network.Add(norm).Add(function),
                BatchNormPlacement.AfterActivation => network.Add(function).Add(norm),
                BatchNormPlacement.None => network.Add(function),
                _ => throw new ArgumentOutOfRangeException(nameof(placement), placement, "Unknown placement."),
            };
        }

        if (dropout > 0) network = network.Dropout(dropout);
        return network.Add(new DenseLayer(outputs) { WeightInitializer = weights });
    }

    /// <summary>Adds a layer.</summary>
    /// <exception cref="ArgumentException">The layer does not take the shape that comes in, or its name is taken.</exception>
    public Network Add(Layer layer)
    {
        ArgumentNullException.ThrowIfNull(layer);
        return new Network(InputShape, [.. _layers, layer]);
    }

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
            (site.Layer.InnerSites(site).Count > 0 ? 0 : site.Parameters.Sum(parameter => (long)parameter.Count)).ToString("N0", CultureInfo.InvariantCulture);

        void Row(string name, string shape, string count) =>
            text.Append(CultureInfo.InvariantCulture, $"{name,-32} {shape,-16} {count,12}\n");
    }

    /// <summary>The same layers as the inside of another layer.</summary>
    /// <param name="outer">The name of the place of the other layer.</param>
    internal IReadOnlyList<LayerSite> SitesInside(string outer) =>
        [.. Sites.Select(site => new LayerSite(site.Layer, $"{outer}/{site.Name}", site.Input, site.Output, site.Following))];

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
