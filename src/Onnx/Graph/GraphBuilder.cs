using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// Builds an ONNX graph node by node. Names are made unique here, so callers only say what a value is (<c>mean</c>, <c>xHat</c>); a scope
/// (<see cref="Scope"/>) puts the layer's name in front, so that the graph can be read in a viewer.
/// </summary>
public sealed partial class GraphBuilder
{
    /// <summary>The operator set that is written when none is asked for.</summary>
    public const int DefaultOpset = 17;

    private readonly GraphProto _graph;
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _next = new(StringComparer.Ordinal);
    private readonly Dictionary<(float, bool), Value> _constants = [];
    private readonly Dictionary<string, string> _renamed = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Value> _integerLists = new(StringComparer.Ordinal);
    private string _scope = string.Empty;
    private Value _true;

    /// <summary>Starts an empty graph.</summary>
    /// <param name="name">The graph's name.</param>
    /// <param name="opset">The version of the default operator set that the nodes are written for.</param>
    public GraphBuilder(string name, int opset = DefaultOpset)
    {
        _graph = new GraphProto { Name = name };
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
    internal Value Input(string name, DataType type, params ReadOnlySpan<Dimension> shape)
    {
        Claim(name);
        _graph.Input.Add(ValueInfo(name, type, shape));
        return new Value(name);
    }

    /// <summary>Declares a graph output: <paramref name="value"/> under the name <paramref name="name"/>.</summary>
    /// <remarks>The node that made the value is renamed where that is possible; otherwise an Identity node is added.</remarks>
    /// <exception cref="ArgumentException">The name is taken by another value.</exception>
    internal void Output(string name, Value value, DataType type, params ReadOnlySpan<Dimension> shape)
    {
        var current = Current(value);
        if (current != name)
        {
            Claim(name);
            if (!TryRename(current, name))
                _graph.Node.Add(new NodeProto { OpType = "Identity", Name = name, Input = { current }, Output = { name } });
        }

        _graph.Output.Add(ValueInfo(name, type, shape));
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

    /// <summary>Adds a constant tensor. Its name is taken as given where free, and made unique otherwise.</summary>
    internal Value Initializer(TensorProto tensor)
    {
        var value = Fresh(tensor.Name);
        tensor.Name = value.Name;
        _graph.Initializer.Add(tensor);
        return value;
    }

    /// <summary>A float32 constant of rank 0; equal constants are shared.</summary>
    public Value Constant(float value) => Constant(value, asVector: false);

    /// <summary>A float32 constant of shape <c>[1]</c>; equal constants are shared.</summary>
    public Value ConstantVector(float value) => Constant(value, asVector: true);

    /// <summary>The constant true, of rank 0.</summary>
    public Value True
    {
        get
        {
            if (!_true.IsGiven)
                _true = AddGlobal(new TensorProto { Name = "true", DataType = (int)DataType.Bool, RawData = Google.Protobuf.ByteString.CopyFrom(1) });
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

    /// <summary>A name that is not used yet, inside the current scope.</summary>
    public Value Fresh(string stem)
    {
        var name = _scope + (string.IsNullOrEmpty(stem) ? "value" : stem);
        while (!_names.Add(name))
        {
            var next = _next.GetValueOrDefault(_scope + stem, 1) + 1;
            _next[_scope + stem] = next;
            name = $"{_scope}{stem}_{next}";
        }

        return new Value(name);
    }

    /// <summary>The finished model.</summary>
    /// <param name="producer">The name written as the producer.</param>
    internal ModelProto Build(string producer = ModelFile.Producer) => new()
    {
        IrVersion = IrVersionFor(Opset),
        ProducerName = producer,
        ProducerVersion = ModelFile.ProducerVersion,
        Graph = _graph,
        OpsetImport =
        {
            new OperatorSetIdProto { Domain = string.Empty, Version = Opset },
            _otherDomains.Select(domain => new OperatorSetIdProto { Domain = domain.Key, Version = domain.Value }),
        },
    };

    /// <summary>The oldest IR version that knows an operator set, so that old runtimes can read what we write.</summary>
    internal static long IrVersionFor(int opset) => opset switch
    {
        <= 8 => 3,
        9 => 4,
        10 => 5,
        11 => 6,
        <= 14 => 7,
        <= 18 => 8,
        <= 20 => 9,
        _ => 10,
    };

    private Value Constant(float value, bool asVector)
    {
        if (!_constants.TryGetValue((value, asVector), out var shared))
        {
            shared = AddGlobal(asVector ? TensorData.Create("const", [value], 1) : TensorData.Create("const", [value]));
            _constants.Add((value, asVector), shared);
        }

        return shared;
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

    private void Add(string opType, ReadOnlySpan<Value> inputs, ReadOnlySpan<Value> outputs, ReadOnlySpan<NodeArgument> attributes)
    {
        var node = new NodeProto { OpType = opType, Name = outputs[0].Name };
        foreach (var input in inputs) node.Input.Add(Current(input));
        foreach (var output in outputs) node.Output.Add(output.Name);
        foreach (var attribute in attributes) node.Attribute.Add(attribute.Proto);
        _graph.Node.Add(node);
    }

    private void Claim(string name)
    {
        if (!_names.Add(name))
            throw new ArgumentException($"The graph '{_graph.Name}' already has a value named '{name}'; give the new one another name.", nameof(name));
    }

    private bool TryRename(string from, string to)
    {
        var producer = _graph.Node.FirstOrDefault(node => node.Output.Contains(from));
        if (producer is null || _graph.Output.Any(output => output.Name == from)) return false;
        // A subgraph reads outer values by name, and might have a value of its own under the new one.
        if (_graph.Node.Any(node => node.Subgraphs().Any())) return false;
        producer.Output[producer.Output.IndexOf(from)] = to;
        foreach (var node in _graph.Node)
            for (var i = 0; i < node.Input.Count; i++)
                if (node.Input[i] == from) node.Input[i] = to;
        foreach (var info in _graph.ValueInfo)
            if (info.Name == from) info.Name = to;
        _renamed.Add(from, to);
        return true;
    }

    // Callers may still hold a value that has become a graph output under another name.
    private string Current(Value value) => value.IsGiven ? _renamed.GetValueOrDefault(value.Name, value.Name) : string.Empty;

    private static ValueInfoProto ValueInfo(string name, DataType type, ReadOnlySpan<Dimension> shape)
    {
        var dimensions = new TensorShapeProto();
        foreach (var dimension in shape) dimensions.Dim.Add(dimension.ToProto());
        return new ValueInfoProto
        {
            Name = name,
            Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)type, Shape = dimensions } },
        };
    }

    private sealed class ScopeEnd(GraphBuilder graph, string outer) : IDisposable
    {
        public void Dispose() => graph._scope = outer;
    }
}
