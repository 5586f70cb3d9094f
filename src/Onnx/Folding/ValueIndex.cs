using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>Who makes and who reads each value of one graph: its nodes, its inputs and outputs, subgraphs inside its nodes.</summary>
internal sealed class ValueIndex
{
    private readonly HashSet<string> _inputs;
    private readonly HashSet<string> _outputs;
    private readonly Dictionary<string, NodeProto> _producers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<Use>> _readers = new(StringComparer.Ordinal);

    public ValueIndex(GraphProto graph)
    {
        _inputs = graph.Input.Select(input => input.Name).ToHashSet(StringComparer.Ordinal);
        _outputs = graph.Output.Select(output => output.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var node in graph.Node) Add(node);
    }

    public bool IsInput(string value) => _inputs.Contains(value);

    public bool IsOutput(string value) => _outputs.Contains(value);

    /// <summary>The node that makes a value, or null.</summary>
    public NodeProto? Producer(string value) => _producers.GetValueOrDefault(value);

    public IReadOnlyList<Use> Readers(string value) => _readers.TryGetValue(value, out var uses) ? uses : [];

    /// <summary>Why nothing but one given input of one node reads a value, as far as that is not so; null when it is.</summary>
    public string? WhyOthersRead(string value, NodeProto reader, int input)
    {
        if (IsOutput(value)) return $"'{value}' is also an output of the graph";
        foreach (var use in Readers(value))
        {
            if (!use.Is(reader, input) && !use.IsShapeOnly)
                return use.IsCapture ? $"'{value}' is also read inside {use.Node.Describe()}" : $"'{value}' is also read by {use.Node.Describe()}";
        }

        return null;
    }

    /// <summary>Takes in a node with all that it makes and reads.</summary>
    public void Add(NodeProto node)
    {
        foreach (var output in node.Output) _producers[output] = node;
        for (var i = 0; i < node.Input.Count; i++) AddReader(node.Input[i], new Use(node, i));
        foreach (var captured in Captures.Of(node)) AddReader(captured, new Use(node, -1));
    }

    /// <summary>Says which node makes a value; null = none any more.</summary>
    public void SetProducer(string value, NodeProto? node)
    {
        if (node is null) _producers.Remove(value);
        else _producers[value] = node;
    }

    /// <summary>Lets a node read another value; an empty name = none.</summary>
    public void SetInput(NodeProto node, int input, string value)
    {
        if (_readers.TryGetValue(node.Input[input], out var uses)) uses.RemoveAll(use => use.Is(node, input));
        node.Input[input] = value;
        AddReader(value, new Use(node, input));
    }

    private void AddReader(string value, Use use)
    {
        if (value.Length == 0) return;
        if (!_readers.TryGetValue(value, out var uses)) _readers.Add(value, uses = []);
        uses.Add(use);
    }
}
