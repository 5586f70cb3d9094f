using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Graph.Shapes;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>A model while it is folded: its graphs, the names that are taken, and what to tidy up at the end.</summary>
internal sealed class ModelEditor
{
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly HashSet<string> _orphans = new(StringComparer.Ordinal);
    private readonly List<GraphEditor> _graphs = [];

    /// <param name="model">The model to edit, in place.</param>
    /// <param name="options">What counts as constant.</param>
    public ModelEditor(ModelProto model, FoldOptions options)
    {
        Model = model;
        Options = options;
        Opset = ShapeInference.DefaultOpset(model);
        foreach (var training in model.TrainingInfo)
        {
            // These initializers change while the model is trained: their values are not constants.
            foreach (var binding in training.InitializationBinding.Concat(training.UpdateBinding)) Trained.Add(binding.Key);
        }

        var scopes = ShapeInference.Run(model);
        Visit(model.Graph, null, scopes);
    }

    public ModelProto Model { get; }

    public FoldOptions Options { get; }

    /// <summary>The version of ONNX's own operators that the model is written for.</summary>
    public long Opset { get; }

    /// <summary>Names of initializers that the model's training part changes.</summary>
    public HashSet<string> Trained { get; } = new(StringComparer.Ordinal);

    /// <summary>The main graph and its subgraphs, outer before inner.</summary>
    public IReadOnlyList<GraphEditor> Graphs => _graphs;

    /// <summary>Whether every initializer of the main graph must be listed as an input too (IR versions before 4).</summary>
    public bool InitializersAreInputs => Model.IrVersion < 4;

    /// <summary>A name that nothing in the model has, in any graph.</summary>
    public string Fresh(string stem)
    {
        var name = stem;
        for (var i = 2; !_names.Add(name); i++) name = $"{stem}_{i}";
        return name;
    }

    /// <summary>Notes a value that lost a reader: what only it needed goes at the end.</summary>
    public void Abandon(string value)
    {
        if (value.Length > 0) _orphans.Add(value);
    }

    /// <summary>Writes the edited nodes and constants into the model, and takes out what has lost its last reader.</summary>
    public void Finish()
    {
        foreach (var graph in _graphs) graph.WriteNodes();
        // Whether a constant is still needed can depend on graphs further in, so all nodes are written before any constant is dropped.
        var uses = new ValueUses(Model);
        var queue = new Queue<string>(_orphans);
        while (queue.TryDequeue(out var value))
        {
            if (uses.IsUsed(value) || Trained.Contains(value)) continue;
            foreach (var graph in _graphs)
            {
                foreach (var input in graph.Drop(value))
                {
                    uses.Remove(input);
                    queue.Enqueue(input);
                }
            }
        }

        foreach (var graph in _graphs) graph.WriteConstants(uses);
    }

    private void Visit(GraphProto graph, GraphEditor? outer, IReadOnlyDictionary<GraphProto, GraphScope> scopes)
    {
        var editor = new GraphEditor(graph, outer, this, scopes[graph]);
        _graphs.Add(editor);
        foreach (var value in graph.Input.Concat(graph.Output).Concat(graph.ValueInfo)) _names.Add(value.Name);
        foreach (var tensor in graph.Initializer) _names.Add(tensor.Name);
        foreach (var tensor in graph.SparseInitializer) _names.Add(tensor.Values?.Name ?? string.Empty);
        foreach (var node in graph.Node)
        {
            _names.Add(node.Name);
            _names.UnionWith(node.Input);
            _names.UnionWith(node.Output);
            foreach (var subgraph in node.Subgraphs()) Visit(subgraph, editor, scopes);
        }
    }
}
