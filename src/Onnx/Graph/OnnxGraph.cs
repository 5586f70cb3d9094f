using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// One graph of a model, and what is known about each of its values: who makes it and who reads it (nodes, outputs, subgraphs inside of
/// nodes), whether it is constant, and its shape. All changes are made here too, in OnnxGraph.Edits.cs, so that this stays true while a
/// graph is changed.
/// </summary>
internal sealed partial class OnnxGraph
{
    private readonly ModelEditor _model;
    private readonly OnnxGraph? _outer;
    private readonly NodeProto? _owner;
    private readonly NodeList _nodes;
    private readonly Dictionary<NodeProto, List<OnnxGraph>> _subgraphs = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<string> _inputs;
    private readonly HashSet<string> _outputs;
    private readonly HashSet<string> _sparse;
    private readonly Dictionary<string, NodeProto> _producers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Uses> _readers = new(StringComparer.Ordinal);
    private readonly HashSet<TensorProto> _dropped = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, TensorProto> _initializers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ConstantLookup> _computed = new(StringComparer.Ordinal);
    private Dictionary<string, TensorShape> _shapes = new(StringComparer.Ordinal);
    private Dictionary<string, TensorDimension[]> _contents = new(StringComparer.Ordinal);
    private Dictionary<string, ValueInfoProto>? _declarations;
    private bool _knowsReaders;

    /// <param name="graph">The graph; it may be invalid (see <see cref="GraphChecker"/>), and is then known as far as it goes.</param>
    /// <param name="model">The model that it belongs to.</param>
    /// <param name="outer">The graph around it; null for the main graph.</param>
    /// <param name="owner">The node around it.</param>
    public OnnxGraph(GraphProto graph, ModelEditor model, OnnxGraph? outer = null, NodeProto? owner = null)
    {
        (Proto, _model, _outer, _owner) = (graph, model, outer, owner);
        model.Graphs.Add(this);
        _inputs = graph.Input.Select(input => input.Name).ToHashSet(StringComparer.Ordinal);
        _outputs = graph.Output.Select(output => output.Name).ToHashSet(StringComparer.Ordinal);
        _sparse = graph.SparseInitializer.Select(tensor => tensor.Values?.Name ?? string.Empty).ToHashSet(StringComparer.Ordinal);
        _nodes = new NodeList(graph.Node);
        _initializers.EnsureCapacity(graph.Initializer.Count);
        _producers.EnsureCapacity(graph.Node.Count);
        foreach (var tensor in graph.Initializer) _initializers.TryAdd(tensor.Name, tensor);
        // First all that is made here, so that it is known of everything that is read whether it comes from outside.
        var isPlain = outer is null;
        foreach (var node in _nodes)
        {
            Define(node);
            isPlain &= node.Attribute.Count == 0 || !node.Subgraphs().Any();
        }

        // Who only looks asks seldom who reads what, and of a graph without others in or around it nobody else need know.
        if (!isPlain || !model.IsRead) FindReaders();
    }

    /// <summary>
    /// The message; its nodes are written only by <see cref="ModelEditor.Finish"/>, <see cref="Nodes"/> are always up to date.
    /// </summary>
    public GraphProto Proto { get; }

    /// <summary>The nodes in order.</summary>
    public IEnumerable<NodeProto> Nodes => _nodes;

    public int NodeCount => _nodes.Count;

    public long Opset => _model.Opset;

    /// <summary>What may be spent on the model.</summary>
    public WorkBudget Budget => _model.Budget;

    /// <summary>The graph around this one; null for the main graph.</summary>
    public OnnxGraph? Outer => _outer;

    /// <summary>Values whose elements a rewrite has changed, under a name that the graph may still have.</summary>
    public HashSet<string> Changed { get; } = new(StringComparer.Ordinal);

    /// <summary>Values that have lost a reader, and are yet to be looked at; see <see cref="ModelEditor.Abandon"/>.</summary>
    public HashSet<string> Abandoned { get; } = new(StringComparer.Ordinal);

    /// <summary>Whether a node stands in this graph.</summary>
    public bool Contains(NodeProto node) => _nodes.Contains(node);

    /// <summary>The subgraphs of a node of this graph.</summary>
    public IReadOnlyList<OnnxGraph> Subgraphs(NodeProto node) => _subgraphs.TryGetValue(node, out var inner) ? inner : [];

    /// <summary>The node that makes a value in this very graph, or null.</summary>
    public NodeProto? Producer(string value) => _producers.GetValueOrDefault(value);

    /// <summary>The nodes of this graph that read a value, one entry for each place.</summary>
    public Uses Readers(string value)
    {
        if (!_knowsReaders) FindReaders();
        return _readers.GetValueOrDefault(value);
    }

    /// <summary>The initializer of a name in this very graph, or null.</summary>
    public TensorProto? Initializer(string value) => _initializers.GetValueOrDefault(value);

    /// <summary>The initializer of a name as it is seen from here; null where the name is another value's, or nobody's.</summary>
    public TensorProto? Stored(string value) =>
        _initializers.TryGetValue(value, out var tensor) ? tensor : _outer is null || Owns(value) ? null : _outer.Stored(value);

    /// <summary>What is declared about a value of this very graph, or null.</summary>
    public ValueInfoProto? Declaration(string value)
    {
        // Whole before another thread sees it: parts are proved side by side.
        if (_declarations is not { } declarations)
        {
            declarations = new(StringComparer.Ordinal);
            foreach (var info in Proto.Input.Concat(Proto.ValueInfo).Concat(Proto.Output)) declarations.TryAdd(info.Name, info);
            _declarations = declarations;
        }

        return declarations.GetValueOrDefault(value);
    }

    public bool IsInput(string value) => _inputs.Contains(value);

    public bool IsOutput(string value) => _outputs.Contains(value);

    /// <summary>The bytes that a constant takes in the file, before or after the changes so far; 0 for a repeated value.</summary>
    public long StoredBytes(string value) => _fresh.TryGetValue(value, out var fresh) ? fresh.WrittenBytes
        : Constant(value).Tensor is { } tensor ? Math.Min(tensor.Stored, tensor.WrittenBytes) : 0;

    /// <summary>Whether a node reads a value or the graph gives it.</summary>
    public bool IsUsed(string value) => IsOutput(value) || Readers(value).Count > 0;

    /// <summary>Whether a value is made here, rather than in a graph around this one.</summary>
    public bool Owns(string value) => _producers.ContainsKey(value) || _inputs.Contains(value) || _initializers.ContainsKey(value)
        || _fresh.ContainsKey(value) || _sparse.Contains(value);

    /// <summary>The graph that a value is made in, as it is seen from here; null when it is made nowhere.</summary>
    public OnnxGraph? Home(string value) => Owns(value) ? this : _outer?.Home(value);

    /// <summary>Why nothing but one given input of one node reads a value, as far as that is not so; null when it is.</summary>
    /// <param name="value">The value.</param>
    /// <param name="reader">The node.</param>
    /// <param name="input">Which of its inputs.</param>
    /// <param name="isUnharmed">Says of another place whether a change of the value makes no difference there; null = never.</param>
    public string? WhyOthersRead(string value, NodeProto reader, int input, Func<Use, bool>? isUnharmed = null)
    {
        if (IsOutput(value)) return $"'{value}' is also an output of the graph";
        foreach (var use in Readers(value))
        {
            if (!use.Is(reader, input) && !use.IsShapeOnly && isUnharmed?.Invoke(use) != true)
                return $"'{value}' is also read {(use.IsCapture ? "inside" : "by")} {use.Node.Describe()}";
        }

        return null;
    }

    /// <summary>A constant of real numbers that this graph can see, or why a value is none.</summary>
    /// <remarks>
    /// What nodes compute from constants is a constant too (<see cref="ConstantReader"/>). Each value is looked at once, without recursion.
    /// </remarks>
    public ConstantLookup Constant(string value)
    {
        if (Given(value) is { } given) return given;
        var waiting = new Stack<string>();
        waiting.Push(value);
        while (waiting.TryPeek(out var next))
        {
            var producer = Producer(next)!;
            var isReady = true;
            var operands = ConstantReader.OperandCount(producer);
            for (var i = 0; i < operands; i++)
            {
                if (Given(producer.Input[i]) is not null) continue;
                waiting.Push(producer.Input[i]);
                isReady = false;
            }

            if (!isReady) continue;
            waiting.Pop();
            _computed[next] = ConstantReader.Read(producer, next, this);
        }

        return _computed[value];
    }

    /// <summary>Whether one more constant of a shape may be worked out; see <see cref="WorkBudget"/>.</summary>
    public bool MayCompute(IEnumerable<long> shape, TensorProto.Types.DataType type, long steps = 0) =>
        Budget.MayCompute(shape.Aggregate((long)ElementTypes.Of(type).Bits! / 8, (product, size) => product * size), steps);

    /// <summary>An integer constant of at most one dimension, or null.</summary>
    public long[]? Integers(string value)
    {
        var contents = Contents(value);
        return contents is not null && contents.All(element => element.Size is not null)
            ? [.. contents.Select(element => element.Size!.Value)]
            : null;
    }

    /// <summary>The shape of a value that this graph can see, or null.</summary>
    public TensorShape? Shape(string value)
    {
        _model.InferShapes();
        return value.Length == 0 ? null : _shapes.TryGetValue(value, out var shape) ? shape : _outer?.Shape(value);
    }

    /// <summary>Makes room for a shape of each value.</summary>
    public void ExpectShapes() => _shapes.EnsureCapacity(Proto.Input.Count + Proto.Initializer.Count + _producers.Count);

    /// <summary>Notes a shape that was found out.</summary>
    public void SetShape(string value, TensorShape? shape)
    {
        if (shape is not null && value.Length > 0 && shape.Rank <= GraphChecker.MostAxes) _shapes[value] = shape.WithoutAbsurdSizes();
    }

    /// <summary>Takes over what was found out of the shapes of the same graph in a copy of the model.</summary>
    /// <remarks>Both keep them in one place: what the copy adds once it is changed has names that this graph has not.</remarks>
    public void TakeShapes(OnnxGraph copy) => (_shapes, _contents) = (copy._shapes, copy._contents);

    /// <summary>The elements of a small integer tensor (axes, shapes), as far as they are known: sizes, symbols or unknown ones.</summary>
    public TensorDimension[]? Contents(string value)
    {
        _model.InferShapes();
        if (value.Length == 0) return null;
        if (_contents.TryGetValue(value, out var known)) return known;
        return _initializers.TryGetValue(value, out var tensor) ? TensorData.ToDimensions(tensor) : _outer?.Contents(value);
    }

    /// <summary>Notes elements that were found out.</summary>
    public void SetContents(string value, TensorDimension[]? elements)
    {
        // Shapes and axes are short, and what is made of shapes (Concat) must not grow without end.
        if (elements is { Length: <= GraphChecker.MostAxes }) _contents[value] = elements;
    }

    // What is known of a value without looking at what the nodes of this graph compute; null when one makes it that was not looked at.
    private ConstantLookup? Given(string value)
    {
        if (value.Length == 0) return ConstantLookup.None("it is not given");
        if (_computed.TryGetValue(value, out var known)) return known;
        if (_fresh.TryGetValue(value, out var tensor)) return ConstantLookup.Found(tensor);
        if (_initializers.TryGetValue(value, out var stored))
        {
            if (_model.Trained.Contains(value)) return ConstantLookup.None($"the model's training part changes '{value}'");
            if (_inputs.Contains(value) && !_model.InitializersAreInputs && !_model.DefaultsAreConstant)
                return ConstantLookup.None($"'{value}' is also a graph input, which callers may override");
            return RealTensor.From(stored) is { } real
                ? ConstantLookup.Found(real)
                : ConstantLookup.None($"'{value}' does not hold real numbers that can be folded");
        }

        if (_inputs.Contains(value)) return ConstantLookup.None($"'{value}' is an input of the graph");
        if (Producer(value) is not null) return null;
        return _outer?.Constant(value) ?? ConstantLookup.None($"'{value}' is not a constant");
    }

    // A node reads something else, or is gone: what was known of what it computes holds no more.
    private void Forget(NodeProto node)
    {
        if (_computed.Count == 0) return;
        Stack<NodeProto>? changed = null;
        for (var next = node; next is not null; next = changed is not null && changed.TryPop(out var other) ? other : null)
        {
            for (var i = 0; i < next.Output.Count; i++)
            {
                if (!_computed.Remove(next.Output[i], out var old) || old.Tensor is null) continue;
                foreach (var use in Readers(next.Output[i])) (changed ??= new()).Push(use.Node);
            }
        }
    }

    private void Define(NodeProto node)
    {
        for (var i = 0; i < node.Output.Count; i++)
            if (node.Output[i].Length > 0) _producers.TryAdd(node.Output[i], node);
    }

    private void FindReaders()
    {
        _knowsReaders = true;
        _readers.EnsureCapacity(Proto.Initializer.Count + _nodes.Count);
        foreach (var node in _nodes) Read(node);
        foreach (var output in Proto.Output)
            if (!Owns(output.Name)) CaptureOutside(output.Name);
    }

    // Takes in what a node reads, and what the subgraphs in it read.
    private void Read(NodeProto node)
    {
        for (var i = 0; i < node.Input.Count; i++) AddReader(node.Input[i], new Use(node, i));
        if (node.Attribute.Count == 0) return;
        foreach (var subgraph in node.Subgraphs())
        {
            if (!_subgraphs.TryGetValue(node, out var inner)) _subgraphs.Add(node, inner = []);
            inner.Add(new OnnxGraph(subgraph, _model, this, node));
        }
    }

    // What is read here but made further out is read by the node around this graph, once for each place.
    private void AddReader(string value, Use use)
    {
        if (value.Length == 0) return;
        ref var uses = ref CollectionsMarshal.GetValueRefOrAddDefault(_readers, value, out _);
        uses = uses.With(use);
        if (_outer is not null && !Owns(value)) CaptureOutside(value);
    }

    private void CaptureOutside(string value)
    {
        if (_outer is not null) _outer.AddReader(value, new Use(_owner!, -1));
    }

    private void RemoveReader(string value, Use use)
    {
        ref var uses = ref CollectionsMarshal.GetValueRefOrNullRef(_readers, value);
        if (Unsafe.IsNullRef(ref uses) || uses.Without(use) is not { } others) return;
        uses = others;
        if (_outer is not null && !Owns(value)) _outer.RemoveReader(value, new Use(_owner!, -1));
    }
}
