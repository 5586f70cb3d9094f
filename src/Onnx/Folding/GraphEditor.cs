using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Graph.Shapes;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>
/// One graph while it is folded. All edits of nodes and constants are made here, and here alone it is known who reads what: other nodes, the
/// graph's outputs, subgraphs.
/// </summary>
internal sealed class GraphEditor
{
    private readonly GraphEditor? _outer;
    private readonly ModelEditor _model;
    private readonly GraphScope _scope;
    private readonly ValueIndex _values;
    private readonly Dictionary<string, RealTensor> _fresh = new(StringComparer.Ordinal);
    private readonly List<TensorProto> _added = [];
    private readonly HashSet<NodeProto> _removed = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<NodeProto, List<NodeProto>> _inserted = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<string> _gone = new(StringComparer.Ordinal);

    public GraphEditor(GraphProto graph, GraphEditor? outer, ModelEditor model, GraphScope scope)
    {
        (Graph, _outer, _model, _scope) = (graph, outer, model, scope);
        _values = new ValueIndex(graph);
    }

    public GraphProto Graph { get; }

    public long Opset => _model.Opset;

    /// <summary>Whether a node of the original graph, or one that was inserted, is still there.</summary>
    public bool Contains(NodeProto node) => !_removed.Contains(node);

    /// <summary>The node that makes a value in this very graph, or null.</summary>
    public NodeProto? Producer(string value) => _values.Producer(value);

    public IReadOnlyList<Use> Readers(string value) => _values.Readers(value);

    public bool IsOutput(string value) => _values.IsOutput(value);

    public TensorShape? Shape(string value) => _scope.Shape(value);

    /// <summary>An integer constant of at most one dimension, or null.</summary>
    public long[]? Integers(string value) => _scope.Numbers(value);

    /// <inheritdoc cref="ValueIndex.WhyOthersRead"/>
    public string? WhyOthersRead(string value, NodeProto reader, int input) => _values.WhyOthersRead(value, reader, input);

    /// <summary>A constant that this graph can see, or why a value is none.</summary>
    public ConstantLookup Constant(string value)
    {
        if (value.Length == 0) return ConstantLookup.None("it is not given");
        if (_fresh.TryGetValue(value, out var tensor)) return ConstantLookup.Found(tensor);
        if (_scope.Initializers.TryGetValue(value, out var stored))
        {
            if (_model.Trained.Contains(value)) return ConstantLookup.None($"the model's training part changes '{value}'");
            if (_values.IsInput(value) && !_model.InitializersAreInputs && !_model.Options.FoldOverridable)
                return ConstantLookup.None($"'{value}' is also a graph input, which callers may override");
            return RealTensor.From(stored) is { } real
                ? ConstantLookup.Found(real)
                : ConstantLookup.None($"'{value}' does not hold real numbers that can be folded");
        }

        if (_values.IsInput(value)) return ConstantLookup.None($"'{value}' is an input of the graph");
        if (Producer(value) is { } producer) return ConstantReader.Read(producer, this);
        return _outer?.Constant(value) ?? ConstantLookup.None($"'{value}' is not a constant");
    }

    /// <summary>Lets a node read a new constant of its own; whoever else reads the old one keeps it.</summary>
    public void SetConstant(NodeProto node, int input, RealTensor tensor, string stem)
    {
        // Before IR version 4 an initializer must be an input as well, and subgraphs cannot have more inputs: the main graph takes it.
        var home = this;
        while (_model.InitializersAreInputs && home._outer is not null) home = home._outer;
        var name = _model.Fresh(stem);
        home._fresh.Add(name, tensor);
        home._scope.SetShape(name, TensorShape.Of(tensor.Shape));
        while (node.Input.Count <= input) node.Input.Add(string.Empty);
        SetInput(node, input, name);
    }

    /// <summary>Adds a constant of any type, under a name of its own.</summary>
    /// <param name="stem">What the name begins with.</param>
    /// <param name="create">Makes the constant of a given name.</param>
    /// <returns>The name.</returns>
    public string AddConstant(string stem, Func<string, TensorProto> create)
    {
        var tensor = create(_model.Fresh(stem));
        _added.Add(tensor);
        return tensor.Name;
    }

    public static void SetAttribute(NodeProto node, AttributeProto attribute)
    {
        if (node.Attribute(attribute.Name) is { } old) node.Attribute.Remove(old);
        node.Attribute.Add(attribute);
    }

    /// <summary>Puts a new node behind a node's first output; everything that read the output reads the new node's instead.</summary>
    /// <param name="node">The node.</param>
    /// <param name="opType">The operator of the new node.</param>
    /// <param name="operand">Its second operand.</param>
    /// <param name="attributes">Its attributes.</param>
    /// <returns>The new node.</returns>
    public NodeProto InsertBehind(NodeProto node, string opType, RealTensor operand, IEnumerable<AttributeProto> attributes)
    {
        var output = node.Output[0];
        var inner = _model.Fresh($"{output}_{opType.ToLowerInvariant()}_in");
        _scope.SetShape(inner, _scope.Shape(output));
        node.Output[0] = inner;
        _values.SetProducer(output, null);
        _values.SetProducer(inner, node);
        var added = new NodeProto { OpType = opType, Name = _model.Fresh($"{node.Label()}_{opType.ToLowerInvariant()}"), Input = { inner }, Output = { output } };
        added.Attribute.AddRange(attributes);
        _values.Add(added);
        SetConstant(added, 1, operand, $"{node.Label()}_shift");
        if (!_inserted.TryGetValue(node, out var list)) _inserted.Add(node, list = []);
        list.Insert(0, added);
        return added;
    }

    /// <summary>Takes out a node whose map moved up: what made its input makes its output instead, under the output's name.</summary>
    public void RemoveKeepingOutput(NodeProto node, int input)
    {
        var (from, to) = (node.Input[input], node.Output[0]);
        var producer = Producer(from)!;
        Remove(node);
        producer.Output[producer.Output.IndexOf(from)] = to;
        _values.SetProducer(from, null);
        _values.SetProducer(to, producer);
        _gone.Add(from);
        foreach (var use in Readers(from).ToList()) SetInput(use.Node, use.Input, to);
    }

    /// <summary>Takes out a node whose map moved down: what read its output reads its input instead.</summary>
    public void RemoveKeepingInput(NodeProto node, int input)
    {
        var (from, to) = (node.Input[input], node.Output[0]);
        Remove(node);
        _values.SetProducer(to, null);
        _gone.Add(to);
        foreach (var use in Readers(to).ToList()) SetInput(use.Node, use.Input, from);
    }

    /// <summary>Turns a node into another operator on its first input.</summary>
    public void Replace(NodeProto node, string opType, RealTensor operand, IEnumerable<AttributeProto> attributes)
    {
        for (var i = node.Input.Count - 1; i >= 1; i--)
        {
            SetInput(node, i, string.Empty);
            node.Input.RemoveAt(i);
        }

        while (node.Output.Count > 1) node.Output.RemoveAt(1);
        node.OpType = opType;
        node.Attribute.Clear();
        node.Attribute.AddRange(attributes);
        SetConstant(node, 1, operand, $"{node.Label()}_{opType.ToLowerInvariant()}");
    }

    /// <summary>Puts a graph in the place of a node: its outputs are the node's, and everything inside it gets names of its own.</summary>
    /// <param name="node">The node.</param>
    /// <param name="part">The graph, which becomes part of this one.</param>
    /// <param name="inputs">Which values of this graph its inputs are.</param>
    public void Replace(NodeProto node, GraphProto part, IReadOnlyDictionary<string, string> inputs)
    {
        var names = new Dictionary<string, string>(inputs, StringComparer.Ordinal) { [string.Empty] = string.Empty };
        for (var i = 0; i < part.Output.Count; i++) names.Add(part.Output[i].Name, node.Output[i]);
        var label = node.Label();
        foreach (var tensor in part.Initializer)
        {
            names.Add(tensor.Name, AddConstant($"{label}_{tensor.Name}", name =>
            {
                tensor.Name = name;
                return tensor;
            }));
        }

        Remove(node);
        var nodes = part.Node.ToList();
        foreach (var added in nodes)
        {
            added.Name = _model.Fresh($"{label}_{added.Name}");
            for (var i = 0; i < added.Input.Count; i++) added.Input[i] = names[added.Input[i]];
            for (var i = 0; i < added.Output.Count; i++)
            {
                if (!names.TryGetValue(added.Output[i], out var name)) names.Add(added.Output[i], name = _model.Fresh($"{label}_{added.Output[i]}"));
                added.Output[i] = name;
            }

            _values.Add(added);
        }

        _inserted.Add(node, nodes);
    }

    /// <summary>Writes the remaining and the new nodes into the graph.</summary>
    public void WriteNodes()
    {
        if (_removed.Count == 0 && _inserted.Count == 0) return;
        var nodes = new List<NodeProto>();
        foreach (var node in Graph.Node) Append(node);
        Graph.Node.Clear();
        Graph.Node.AddRange(nodes);

        void Append(NodeProto node)
        {
            if (!_removed.Contains(node)) nodes.Add(node);
            foreach (var added in _inserted.GetValueOrDefault(node, [])) Append(added);
        }
    }

    /// <summary>Takes out what makes a value that nobody reads; returns the values that it read.</summary>
    public IReadOnlyList<string> Drop(string value)
    {
        // A graph input stays, with its default: the interface must not change. Before IR version 4 it is only there for the initializer's sake.
        if (_scope.Initializers.TryGetValue(value, out var tensor) && (!_values.IsInput(value) || _model.InitializersAreInputs))
        {
            RemoveAll(Graph.Initializer, other => ReferenceEquals(other, tensor));
            _scope.Initializers.Remove(value);
            RemoveAll(Graph.Input, input => input.Name == value);
            _gone.Add(value);
            return [];
        }

        if (Producer(value) is not { Output.Count: 1 } producer) return [];
        RemoveAll(Graph.Node, other => ReferenceEquals(other, producer));
        _values.SetProducer(value, null);
        _gone.Add(value);
        return producer.Input;
    }

    /// <summary>Writes the new constants that are used, and forgets what was declared about values that are gone.</summary>
    public void WriteConstants(ValueUses uses)
    {
        foreach (var tensor in _fresh.Where(fresh => uses.IsUsed(fresh.Key)).Select(fresh => fresh.Value.ToProto(fresh.Key)).Concat(_added))
        {
            Graph.Initializer.Add(tensor);
            if (!_model.InitializersAreInputs || _outer is not null) continue;
            var shape = new TensorShapeProto();
            shape.Dim.AddRange(tensor.Dims.Select(size => new TensorShapeProto.Types.Dimension { DimValue = size }));
            var type = new TypeProto.Types.Tensor { ElemType = tensor.DataType, Shape = shape };
            Graph.Input.Add(new ValueInfoProto { Name = tensor.Name, Type = new TypeProto { TensorType = type } });
        }

        if (_gone.Count == 0) return;
        RemoveAll(Graph.ValueInfo, value => _gone.Contains(value.Name) && Producer(value.Name) is null);
        RemoveAll(Graph.QuantizationAnnotation, annotation => _gone.Contains(annotation.TensorName) && Producer(annotation.TensorName) is null);
    }

    // Not Remove: messages are compared by content, which for a constant means all of its elements.
    private static void RemoveAll<T>(IList<T> list, Func<T, bool> isGone)
    {
        for (var i = list.Count - 1; i >= 0; i--)
        {
            if (isGone(list[i])) list.RemoveAt(i);
        }
    }

    private void SetInput(NodeProto node, int input, string name)
    {
        _model.Abandon(node.Input[input]);
        _values.SetInput(node, input, name);
    }

    private void Remove(NodeProto node)
    {
        for (var i = 0; i < node.Input.Count; i++) SetInput(node, i, string.Empty);
        _removed.Add(node);
    }
}
