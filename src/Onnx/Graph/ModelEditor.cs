using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>A model that is looked at and changed: its graphs, the names in it, and what has to be tidied up at the end.</summary>
internal sealed class ModelEditor
{
    // What constants that are worked out may take together: this, and some times what the model holds.
    private const long FreeBytes = 1L << 24;
    private const long LargestGrowth = 4;

    // The same for multiplications, of which a second has about 2^30.
    private const long FreeSteps = 1L << 28;
    private const long StepsPerByte = 16;

    private readonly HashSet<(OnnxGraph Graph, string Value)> _abandoned = [];
    private readonly Queue<(OnnxGraph Graph, string Value)> _queue = new();
    private bool _hasShapes;
    private long _computed;
    private long _steps;
    private long? _constantBytes;

    /// <param name="model">The model, which is changed in place; what is changed is complete after <see cref="Finish"/>.</param>
    /// <param name="defaultsAreConstant">Whether an initializer that callers may override counts as constant.</param>
    public ModelEditor(ModelProto model, bool defaultsAreConstant = false)
    {
        Model = model;
        DefaultsAreConstant = defaultsAreConstant;
        Opset = OperatorSets.DefaultOf(model);
        Names.Take(model.Graph);
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

    /// <summary>The version of ONNX's own operators that the model is written for.</summary>
    public long Opset { get; }

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

    /// <summary>The bytes that the model's constants have as they were given.</summary>
    public long ConstantBytes => _constantBytes ??= ExternalData.Tensors(Model.Graph).Sum(InitializerChecker.StoredBytes);

    /// <summary>Counts a constant that is worked out, and says whether that is not too much by now.</summary>
    /// <param name="bytes">What it takes.</param>
    /// <param name="steps">The multiplications that a product takes; 0 for anything else.</param>
    public bool MayCompute(long bytes, long steps = 0)
    {
        if (_computed + bytes > FreeBytes + (LargestGrowth * ConstantBytes)) return false;
        if (_steps + steps > FreeSteps + (StepsPerByte * ConstantBytes)) return false;
        (_computed, _steps) = (_computed + bytes, _steps + steps);
        return true;
    }

    /// <summary>Notes a value that lost a reader: what only it needed goes at the end.</summary>
    public void Abandon(OnnxGraph reader, string value)
    {
        if (value.Length > 0 && reader.Home(value) is { } home && _abandoned.Add((home, value))) _queue.Enqueue((home, value));
    }

    /// <summary>Writes the changes into the model, and takes out what has lost its last reader.</summary>
    /// <param name="isLazy">
    /// Whether large new constants are computed each time they are read, and not kept: for who writes the model once and lets it go.
    /// </param>
    public void Finish(bool isLazy = false)
    {
        while (_queue.TryDequeue(out var lost))
        {
            _abandoned.Remove(lost);
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
