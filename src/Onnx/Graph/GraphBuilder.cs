using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// Builds an ONNX graph node by node. Names are made unique here, so callers only say what a value is (<c>mean</c>, <c>xHat</c>); a scope
/// (<see cref="Scope"/>) puts the layer's name in front, so that the graph can be read in a viewer.
/// </summary>
internal sealed partial class GraphBuilder
{
    /// <summary>The operator set that is written when none is asked for.</summary>
    public const int DefaultOpset = 17;

    private readonly OnnxGraph _graph;
    private readonly ModelEditor _editor;
    private readonly Dictionary<float, Value> _constants = [];
    private readonly Dictionary<string, string> _renamed = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Value> _integerLists = new(StringComparer.Ordinal);
    private string _scope = string.Empty;
    private Value _true;

    /// <summary>Starts an empty graph.</summary>
    /// <param name="name">The graph's name.</param>
    /// <param name="opset">The version of the default operator set that the nodes are written for.</param>
    public GraphBuilder(string name, int opset = DefaultOpset)
    {
        _editor = ModelEditor.Of(new GraphProto { Name = name });
        _graph = _editor.Main;
        Opset = opset;
    }

    /// <summary>The version of the default operator set.</summary>
    public int Opset { get; }

    /// <summary>Puts <paramref name="name"/> and a slash in front of the names made until the result is disposed. Scopes nest.</summary>
    public IDisposable Scope(string name)
    {
        var outer = _scope;
        _scope = $"{outer}{name}/";
        return new ScopeEnd(this, outer);
    }

    /// <summary>Declares a graph input.</summary>
    /// <param name="name">Its name, exactly as callers will feed it.</param>
    /// <param name="type">The element type.</param>
    /// <param name="shape">The shape; symbols mark sizes that vary.</param>
    /// <exception cref="ArgumentException">The name is taken.</exception>
    internal Value Input(string name, DataType type, params ReadOnlySpan<TensorDimension> shape)
    {
        Claim(name);
        _graph.AddInput(ValueInfo.Of(name, type, shape));
        return new Value(name);
    }

    /// <summary>Declares a graph output: <paramref name="value"/> under the name <paramref name="name"/>.</summary>
    /// <remarks>The node that made the value is renamed where that is possible; otherwise an Identity node is added.</remarks>
    /// <exception cref="ArgumentException">The name is taken by another value.</exception>
    internal void Output(string name, Value value, DataType type, params ReadOnlySpan<TensorDimension> shape)
    {
        var current = Current(value);
        if (current != name)
        {
            Claim(name);
            if (!TryRename(current, name))
                _graph.Add(new NodeProto { OpType = "Identity", Name = name, Input = { current }, Output = { name } });
        }

        _graph.AddOutput(ValueInfo.Of(name, type, shape));
    }

    /// <summary>Adds a node with one output and returns that output.</summary>
    /// <param name="opType">The operator.</param>
    /// <param name="inputs">Its inputs; <see cref="Value.None"/> leaves an optional one out.</param>
    /// <param name="attributes">Its attributes.</param>
    internal Value Node(string opType, ReadOnlySpan<Value> inputs, params ReadOnlySpan<NodeArgument> attributes) =>
        Named(opType, opType, inputs, attributes);

    /// <summary>As <see cref="Node"/>, with a name of the caller's for the output (made unique).</summary>
    internal Value Named(string name, string opType, ReadOnlySpan<Value> inputs, params ReadOnlySpan<NodeArgument> attributes)
    {
        var output = Fresh(name);
        Add(opType, inputs, [output], attributes);
        return output;
    }

    /// <summary>Adds a node with several outputs.</summary>
    /// <param name="opType">The operator.</param>
    /// <param name="inputs">Its inputs.</param>
    /// <param name="outputCount">How many outputs to give names to.</param>
    /// <param name="attributes">Its attributes.</param>
    internal Value[] Nodes(string opType, ReadOnlySpan<Value> inputs, int outputCount, params ReadOnlySpan<NodeArgument> attributes)
    {
        var outputs = new Value[outputCount];
        for (var i = 0; i < outputCount; i++) outputs[i] = Fresh(opType);
        Add(opType, inputs, outputs, attributes);
        return outputs;
    }

    /// <summary>Adds a node with an operator of another domain.</summary>
    /// <param name="domain">The domain.</param>
    /// <param name="version">Its version.</param>
    /// <param name="opType">The operator.</param>
    /// <param name="inputs">Its inputs; <see cref="Value.None"/> leaves one out.</param>
    /// <param name="outputs">Names for its outputs (made unique); an empty one leaves an output out.</param>
    /// <param name="attributes">Its attributes.</param>
    /// <returns>The outputs, <see cref="Value.None"/> for those that are left out.</returns>
    internal Value[] NodeOf(
        string domain,
        int version,
        string opType,
        ReadOnlySpan<Value> inputs,
        ReadOnlySpan<string> outputs,
        params ReadOnlySpan<NodeArgument> attributes)
    {
        Import(new OperatorSetIdProto { Domain = domain, Version = version });
        var values = new Value[outputs.Length];
        for (var i = 0; i < values.Length; i++) values[i] = outputs[i].Length == 0 ? Value.None : Fresh(outputs[i]);
        Add(opType, inputs, values, attributes, domain);
        return values;
    }

    /// <summary>How many places read a value so far.</summary>
    internal int ReaderCount(Value value) => _graph.Readers(value.Name).Count;

    /// <summary>Adds a constant tensor. Its name is taken as given where free, and made unique otherwise.</summary>
    internal Value Initializer(TensorProto tensor)
    {
        var value = Fresh(tensor.Name);
        tensor.Name = value.Name;
        _graph.AddConstant(tensor);
        return value;
    }

    /// <summary>A float32 constant of rank 0; equal constants are shared.</summary>
    public Value Constant(float value)
    {
        if (!_constants.TryGetValue(value, out var shared))
        {
            shared = AddGlobal(TensorData.Create("const", [value]));
            _constants.Add(value, shared);
        }

        return shared;
    }

    /// <summary>The constant true, of rank 0.</summary>
    public Value True
    {
        get
        {
            if (!_true.IsGiven)
                _true = AddGlobal(
                    new TensorProto { Name = "true", DataType = (int)DataType.Bool, RawData = Google.Protobuf.ByteString.CopyFrom(1) });
            return _true;
        }
    }

    /// <summary>An int64 vector constant (axes, shapes); equal ones are shared.</summary>
    public Value Integers(params long[] values)
    {
        var key = string.Join(',', values);
        if (!_integerLists.TryGetValue(key, out var shared))
        {
            shared = AddGlobal(TensorData.Create("ints", values, values.Length));
            _integerLists.Add(key, shared);
        }

        return shared;
    }

    /// <summary>An int64 constant of rank 0, as an index that takes its axis away.</summary>
    public Value Index(long value) => AddGlobal(TensorData.Create("index", [value]));

    /// <summary>A name that is not used yet, inside the current scope.</summary>
    public Value Fresh(string stem) => new(_graph.Fresh(_scope + (string.IsNullOrEmpty(stem) ? "value" : stem)));

    /// <summary>The finished model.</summary>
    /// <param name="producer">The name written as the producer.</param>
    internal ModelProto Build(string producer = ModelFile.Producer)
    {
        _editor.Finish();
        return new ModelProto
        {
            IrVersion = OperatorSets.IrVersionFor(Opset),
            ProducerName = producer,
            ProducerVersion = ModelFile.ProducerVersion,
            Graph = _graph.Proto,
            OpsetImport =
            {
                new OperatorSetIdProto { Domain = string.Empty, Version = Opset },
                _otherDomains.Select(domain => new OperatorSetIdProto { Domain = domain.Key, Version = domain.Value }),
            },
        };
    }

    // Shared constants belong to no layer.
    private Value AddGlobal(TensorProto tensor)
    {
        var scope = _scope;
        _scope = string.Empty;
        var value = Initializer(tensor);
        _scope = scope;
        return value;
    }

    private void Add(
        string opType,
        ReadOnlySpan<Value> inputs,
        ReadOnlySpan<Value> outputs,
        ReadOnlySpan<NodeArgument> attributes,
        string domain = "")
    {
        var node = new NodeProto { OpType = opType, Domain = domain };
        foreach (var input in inputs) node.Input.Add(Current(input));
        foreach (var output in outputs)
        {
            node.Output.Add(output.IsGiven ? output.Name : string.Empty);
            if (node.Name.Length == 0 && output.IsGiven) node.Name = output.Name;
        }

        foreach (var attribute in attributes) node.Attribute.Add(attribute.Proto);
        _graph.Add(node);
    }

    private void Claim(string name)
    {
        if (_graph.Owns(name) || _renamed.ContainsKey(name))
            throw new ArgumentException(
                $"The graph '{_graph.Proto.Name}' already has a value named '{name}'; give the new one another name.", nameof(name));
    }

    private bool TryRename(string from, string to)
    {
        // A subgraph reads outer values by name, and might have a value of its own under the new one.
        if (_graph.Producer(from) is null || _graph.IsOutput(from) || _editor.Graphs.Count > 1) return false;
        _graph.Rename(from, to);
        _renamed.Add(from, to);
        return true;
    }

    // Callers may still hold a value that has become a graph output under another name.
    private string Current(Value value) => value.IsGiven ? _renamed.GetValueOrDefault(value.Name, value.Name) : string.Empty;

    private sealed class ScopeEnd(GraphBuilder graph, string outer) : IDisposable
    {
        public void Dispose() => graph._scope = outer;
    }
}
