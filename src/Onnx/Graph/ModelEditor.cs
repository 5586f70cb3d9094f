using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>A model that is looked at and changed: its graphs, the names in it, and what has to be tidied up at the end.</summary>
internal sealed class ModelEditor
{
    private readonly Queue<(OnnxGraph Graph, string Value)> _queue = new();
    private bool _hasShapes;

    /// <param name="model">The model, which is changed in place; what is changed is complete after <see cref="Finish"/>.</param>
    /// <param name="defaultsAreConstant">Whether an initializer that callers may override counts as constant.</param>
    /// <param name="isRead">Whether the model is only looked at, so that nobody will ask for names.</param>
    public ModelEditor(ModelProto model, bool defaultsAreConstant = false, bool isRead = false)
    {
        Model = model;
        DefaultsAreConstant = defaultsAreConstant;
        Opset = OperatorSets.DefaultOf(model);
        Budget = new WorkBudget(model);
        IsRead = isRead;
        if (!isRead) Names.Take(model.Graph);
        // These initializers change while the model is trained: their values are not constants.
        foreach (var training in model.TrainingInfo)
            Trained.UnionWith(training.InitializationBinding.Concat(training.UpdateBinding).Select(binding => binding.Key));
        Main = new OnnxGraph(model.Graph, this);
    }

    public ModelProto Model { get; }

    public OnnxGraph Main { get; }

    /// <summary>The main graph and its subgraphs, outer before inner.</summary>
    public IList<OnnxGraph> Graphs { get; } = [];

    /// <summary>The names of all graphs together.</summary>
    public ValueNames Names { get; } = new();

    /// <summary>Whether an initializer that callers may override counts as constant.</summary>
    public bool DefaultsAreConstant { get; }

    /// <summary>Whether the model is only looked at.</summary>
    public bool IsRead { get; }

    /// <summary>The version of ONNX's own operators that the model is written for.</summary>
    public long Opset { get; }

    /// <summary>What may be spent on the model.</summary>
    public WorkBudget Budget { get; }

    /// <summary>Names of initializers that the model's training part changes.</summary>
    public HashSet<string> Trained { get; } = new(StringComparer.Ordinal);

    /// <summary>Whether every initializer of the main graph must be listed as an input too (IR versions before 4).</summary>
    public bool InitializersAreInputs => Model.IrVersion < 4;

    /// <summary>A graph that stands by itself.</summary>
    /// <param name="graph">The graph, which is changed in place.</param>
    public static ModelEditor Of(GraphProto graph) => new(new ModelProto { IrVersion = OperatorSets.NewestIrVersion, Graph = graph });

    /// <summary>Takes out of a model what its outputs do not need: nodes, constants, and inputs that nobody reads.</summary>
    /// <param name="model">The model, which is changed.</param>
    /// <param name="outputs">The names of the outputs to keep; null = all.</param>
    public static void Prune(ModelProto model, IReadOnlyCollection<string>? outputs = null)
    {
        var editor = new ModelEditor(model);
        if (outputs is not null) editor.Main.KeepOutputs(outputs.Contains);
        editor.Main.Prune();
        editor.Finish();
    }

    /// <summary>
    /// Finds out the shapes of all values, if that was not done yet; to be called before the first change where shapes are asked for.
    /// </summary>
    /// <exception cref="InvalidModelException">A node is given operands that do not fit together.</exception>
    public void InferShapes()
    {
        if (_hasShapes) return;
        _hasShapes = true;
        ShapeInference.Run(Main);
    }

    /// <summary>Takes over the shapes that were found out of a copy of the model, before that was changed.</summary>
    public void TakeShapes(ModelEditor copy)
    {
        // What callers may override is known in one of them, and not in the other.
        if (DefaultsAreConstant != copy.DefaultsAreConstant || Graphs.Count != copy.Graphs.Count) return;
        _hasShapes = true;
        for (var i = 0; i < Graphs.Count; i++) Graphs[i].TakeShapes(copy.Graphs[i]);
    }

    /// <summary>Notes a value that lost a reader: what only it needed goes at the end.</summary>
    public void Abandon(OnnxGraph reader, string value)
    {
        if (value.Length > 0 && reader.Home(value) is { } home && home.Abandoned.Add(value)) _queue.Enqueue((home, value));
    }

    /// <summary>Writes the changes into the model, and takes out what has lost its last reader.</summary>
    /// <param name="isLazy">
    /// Whether large new constants are computed each time they are read, and not kept: for who writes the model once and lets it go.
    /// </param>
    public void Finish(bool isLazy = false)
    {
        while (_queue.TryDequeue(out var lost))
        {
            lost.Graph.Abandoned.Remove(lost.Value);
            if (!lost.Graph.IsUsed(lost.Value) && !Trained.Contains(lost.Value)) lost.Graph.Drop(lost.Value);
        }

        Write(isLazy);
    }

    /// <summary>Writes the changes into the model, and leaves in it what has lost its last reader.</summary>
    /// <param name="isLazy">As above.</param>
    public void Write(bool isLazy = false)
    {
        foreach (var graph in Graphs)
        {
            graph.WriteNodes();
            graph.WriteConstants(isLazy);
        }
    }
}
