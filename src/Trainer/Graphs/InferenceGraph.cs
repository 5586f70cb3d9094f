using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer.Graphs;

/// <summary>
/// A network's inference pass while it is built: the graph, and where each parameter comes from (an input or a constant).
/// </summary>
internal sealed class InferenceGraph
{
    private readonly Func<Parameter, Value> _source;
    private readonly Dictionary<string, Value> _parameters = new(StringComparer.Ordinal);

    internal InferenceGraph(GraphBuilder nodes, Func<Parameter, Value> source)
    {
        Nodes = nodes;
        _source = source;
    }

    /// <summary>The graph that nodes are added to.</summary>
    public GraphBuilder Nodes { get; }

    /// <summary>One of the layer's parameters.</summary>
    /// <param name="site">The layer's place.</param>
    /// <param name="name">The parameter's name in the layer.</param>
    public Value Parameter(LayerSite site, string name)
    {
        ArgumentNullException.ThrowIfNull(site);
        var fullName = site.FullName(name);
        if (!_parameters.TryGetValue(fullName, out var value))
            _parameters.Add(fullName, value = _source(site.Parameters.Single(parameter => parameter.Name == fullName)));
        return value;
    }

    /// <summary>Emits layers one behind the other.</summary>
    /// <param name="sites">The layers.</param>
    /// <param name="x">The first one's input, <c>[N, …]</c>.</param>
    public Value Infer(IReadOnlyList<LayerSite> sites, Value x)
    {
        ArgumentNullException.ThrowIfNull(sites);
        foreach (var site in sites)
        {
            using (Nodes.Scope(site.LocalName)) x = site.Layer.Infer(this, site, x);
        }

        return x;
    }
}
