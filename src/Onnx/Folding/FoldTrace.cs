using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>
/// What a fold did to a model, for whoever wants to judge it: which node of the folded model was which of the given one, and which values
/// mean something else now. It also says which nodes must not take part.
/// </summary>
internal sealed class FoldTrace
{
    private readonly Dictionary<NodeProto, NodeProto> _origins = new(ReferenceEqualityComparer.Instance);
    private readonly List<(GraphProto Graph, NodeProto[] Nodes)> _copies = [];

    /// <summary>Nodes of the given model that start no fold, each with the reason.</summary>
    public Dictionary<NodeProto, string> Declined { get; } = new(ReferenceEqualityComparer.Instance);

    /// <summary>The batch normalizations of the given model, in the order of <see cref="FoldResult.BatchNorms"/>.</summary>
    public IReadOnlyList<NodeProto> BatchNorms { get; private set; } = [];

    /// <summary>
    /// Of each chain of constant arithmetic, in the order of <see cref="FoldResult.Chains"/>, the last node of the given model.
    /// </summary>
    public IReadOnlyList<NodeProto> Chains { get; private set; } = [];

    /// <summary>The graphs of the model, outer before inner.</summary>
    public IReadOnlyList<TracedGraph> Graphs { get; private set; } = [];

    /// <summary>The graphs of the given model, with all that is known of their values.</summary>
    public ModelEditor Before { get; private set; } = null!;

    /// <summary>Why a node of the copy that is folded starts no fold; null where it may.</summary>
    public string? WhyDeclined(NodeProto node) =>
        Declined.Count > 0 && _origins.TryGetValue(node, out var origin) ? Declined.GetValueOrDefault(origin) : null;

    /// <summary>Notes which node is which, before the first change.</summary>
    /// <param name="before">The given model.</param>
    /// <param name="copy">The copy that is to be folded, with its shapes.</param>
    public void Begin(ModelProto before, ModelEditor copy)
    {
        _origins.Clear();
        _copies.Clear();
        Pair(before.Graph, copy.Model.Graph);
        Before = new ModelEditor(before, isRead: true);
        Before.TakeShapes(copy);
        // Known before parts are proved, several at once.
        Before.InferShapes();
    }

    /// <summary>Notes what has changed, after the last change.</summary>
    /// <param name="copy">The copy that was folded.</param>
    /// <param name="batchNorms">Its batch normalizations, those that are gone included.</param>
    /// <param name="chains">The last node of each chain of constant arithmetic.</param>
    public void End(ModelEditor copy, IEnumerable<BatchNormFold> batchNorms, IEnumerable<NodeProto> chains)
    {
        Chains = [.. chains.Select(node => _origins[node])];
        BatchNorms = [.. batchNorms.Select(batchNorm => _origins[batchNorm.Node])];
        Graphs =
        [
            .. from pair in Before.Graphs.Zip(_copies)
               let after = copy.Graphs.FirstOrDefault(graph => ReferenceEquals(graph.Proto, pair.Second.Graph))
               where after is not null
               select new TracedGraph(pair.First, after, pair.Second.Nodes),
        ];
    }

    private void Pair(GraphProto before, GraphProto copy)
    {
        _copies.Add((copy, [.. copy.Node]));
        for (var i = 0; i < before.Node.Count; i++)
        {
            var node = copy.Node[i];
            // No others start a fold, and there may be millions.
            if (node.Is("BatchNormalization") || ArithmeticFold.IsArithmetic(node)) _origins.Add(node, before.Node[i]);
            if (node.Attribute.Count == 0) continue;
            foreach (var (inner, innerCopy) in before.Node[i].Subgraphs().Zip(node.Subgraphs())) Pair(inner, innerCopy);
        }
    }
}

/// <summary>One graph before and after a fold.</summary>
/// <param name="Before">The graph as it was given.</param>
/// <param name="After">The graph as it was folded; its <see cref="OnnxGraph.Changed"/> says which values are others now.</param>
/// <param name="Copies">
/// What each node of <paramref name="Before"/> was in the copy that was folded, whether it is still there or not.
/// </param>
internal sealed record TracedGraph(OnnxGraph Before, OnnxGraph After, IReadOnlyList<NodeProto> Copies);
