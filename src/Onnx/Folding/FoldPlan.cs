using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>
/// What would have to change for a channel map to move somewhere: new constants, new attributes, new nodes. Rules write into it; nothing of
/// it happens before every precondition has passed and <see cref="Apply"/> is called. Who else reads a value is checked here, for all
/// rules.
/// </summary>
internal sealed class FoldPlan(OnnxGraph graph)
{
    // Far more than any network needs between a map and the weights that take it in, and far less than the stack holds.
    private const int MaximumDepth = 100;

    private readonly List<NodeProto> _absorbers = [];
    private readonly List<(NodeProto Node, AttributeProto Attribute)> _attributes = [];
    private readonly List<(NodeProto Node, RealTensor Shift)> _shifts = [];
    private Dictionary<(NodeProto Node, int Input), (RealTensor Tensor, string Stem)> _constants = new(NodeInputComparer.Instance);
    private readonly HashSet<string> _changed = new(StringComparer.Ordinal);
    private int _depth;

    /// <summary>The graph as it is, before the plan.</summary>
    public OnnxGraph Graph => graph;

    /// <summary>The nodes whose constants change.</summary>
    public IReadOnlyList<NodeProto> Absorbers => _absorbers;

    /// <summary>The names of <see cref="Absorbers"/>.</summary>
    public string Into => string.Join(", ", _absorbers.Select(node => node.Label()));

    /// <summary>A constant that a node reads, as the plan would leave it.</summary>
    public ConstantLookup Constant(NodeProto node, int input) =>
        _constants.TryGetValue((node, input), out var planned) ? ConstantLookup.Found(planned.Tensor) : graph.Constant(node.InputAt(input));

    /// <summary>Gives a node another constant, under a new name; other readers of the old one keep it.</summary>
    /// <param name="node">The node.</param>
    /// <param name="input">Which of its inputs.</param>
    /// <param name="tensor">The constant.</param>
    public void SetConstant(NodeProto node, int input, RealTensor tensor)
    {
        var old = node.InputAt(input);
        _constants[(node, input)] = (tensor, old.Length > 0 ? Stem(old) : $"{node.Label()}_shift");
        if (!_absorbers.Exists(absorber => ReferenceEquals(absorber, node))) _absorbers.Add(node);
    }

    public void SetAttribute(NodeProto node, AttributeProto attribute) => _attributes.Add((node, attribute));

    /// <summary>A float attribute, as the plan would leave it: a node can be reached on two ways in one plan.</summary>
    public float Real(NodeProto node, string name, float otherwise)
    {
        var planned = _attributes.FindLast(change => ReferenceEquals(change.Node, node) && change.Attribute.Name == name).Attribute;
        return planned?.F ?? node.Real(name, otherwise);
    }

    /// <summary>Adds a constant to a node's first output: in the constant Add behind it, if there is one, otherwise in a new Add.</summary>
    /// <param name="node">The node.</param>
    /// <param name="shift">What is added, broadcast from the last dimension.</param>
    public void AddBehind(NodeProto node, RealTensor shift)
    {
        var output = node.Output[0];
        if (graph.Opset >= 7 && !graph.IsOutput(output)
            && graph.Readers(output) is [{ IsCapture: false, Node: var reader } use] && reader.Is("Add"))
        {
            var other = 1 - use.Input;
            if (Constant(reader, other).Tensor is { } summand && Broadcasting.Combine(summand, shift, static (a, b) => a + b) is { } sum)
            {
                SetConstant(reader, other, sum);
                _changed.Add(output);
                return;
            }
        }

        if (!_absorbers.Exists(absorber => ReferenceEquals(absorber, node))) _absorbers.Add(node);
        var before = _shifts.FindIndex(planned => ReferenceEquals(planned.Node, node));
        if (before < 0) _shifts.Add((node, shift));
        else _shifts[before] = (node, Broadcasting.Combine(_shifts[before].Shift, shift, static (a, b) => a + b)!);
    }

    /// <summary>Makes the value that a node reads become map(value), by changing what makes the value.</summary>
    /// <param name="reader">The only node that may read the value.</param>
    /// <param name="input">Which of its inputs.</param>
    /// <param name="map">The map, on the value's own axes.</param>
    public Verdict Behind(NodeProto reader, int input, ChannelMap map)
    {
        var value = reader.InputAt(input);
        if (Constant(reader, input).Tensor is { } constant) return MapConstant(reader, input, constant, map);
        if (graph.WhyOthersRead(value, reader, input) is { } others) return Verdict.No(others);
        if (graph.Producer(value) is not { } producer) return Verdict.No($"'{value}' comes from outside the graph");
        if (FoldRules.For(producer) is not { } rule) return Verdict.No($"{producer.Describe()} can take in no scale or shift");
        if (producer.Output[0] != value) return Verdict.No($"'{value}' is not the first output of {producer.Describe()}");
        _changed.Add(value);
        return Deeper(producer, () => rule.Behind(producer, map, this));
    }

    /// <summary>Makes every reader of a value give on the value what it gave on map(value).</summary>
    public Verdict InFront(string value, ChannelMap map)
    {
        if (graph.IsOutput(value)) return Verdict.No($"'{value}' is an output of the graph");
        var readers = graph.Readers(value);
        if (readers.Count == 0) return Verdict.No($"nothing reads '{value}'");
        _changed.Add(value);
        foreach (var use in readers)
        {
            if (use.IsCapture) return Verdict.No($"'{value}' is read inside {use.Node.Describe()}");
            if (FoldRules.For(use.Node) is not { } rule) return Verdict.No($"{use.Node.Describe()} can take in no scale or shift");
            var verdict = Deeper(use.Node, () => rule.InFront(use.Node, use.Input, map, this));
            if (!verdict.IsYes) return verdict;
        }

        return Verdict.Yes;
    }

    /// <summary>Tries one way; when it fails, the plan is as it was before.</summary>
    public Verdict Try(Func<Verdict> way)
    {
        var constants = new Dictionary<(NodeProto, int), (RealTensor, string)>(_constants, NodeInputComparer.Instance);
        var (absorbers, attributes, shifts) = (_absorbers.Count, _attributes.Count, _shifts.ToArray());
        var verdict = way();
        if (verdict.IsYes) return verdict;
        _constants = constants;
        _absorbers.RemoveRange(absorbers, _absorbers.Count - absorbers);
        _attributes.RemoveRange(attributes, _attributes.Count - attributes);
        _shifts.Clear();
        _shifts.AddRange(shifts);
        return verdict;
    }

    /// <summary>The last precondition: every new number can be written in its tensor's type.</summary>
    public Verdict CheckNumbers()
    {
        foreach (var (node, tensor) in _constants.Select(planned => (planned.Key.Node, planned.Value.Tensor)).Concat(_shifts))
        {
            var largest = tensor.Largest();
            if (double.IsNaN(largest)) return Verdict.No($"a weight of {node.Describe()} would not be a number");
            if (largest > ElementTypes.Of(tensor.Type).Largest)
                return Verdict.No($"a weight of {node.Describe()} would be {largest:G3}, too large for {tensor.Type}");
        }

        return Verdict.Yes;
    }

    /// <summary>Carries the plan out.</summary>
    public void Apply()
    {
        graph.Changed.UnionWith(_changed);
        foreach (var ((node, input), (tensor, stem)) in _constants) graph.SetConstant(node, input, tensor, stem);
        foreach (var (node, attribute) in _attributes) OnnxGraph.SetAttribute(node, attribute);
        foreach (var (node, shift) in _shifts) graph.InsertBehind(node, "Add", shift, LegacyBroadcast(graph.Opset));
    }

    /// <summary>
    /// Up to opset 6 a node must say that its second operand is to be broadcast, and along which axis unless it is the last.
    /// </summary>
    public static IEnumerable<AttributeProto> LegacyBroadcast(long opset, int? axis = null)
    {
        if (opset >= 7) yield break;
        yield return new AttributeProto { Name = "broadcast", Type = AttributeProto.Types.AttributeType.Int, I = 1 };
        if (axis is { } start) yield return new AttributeProto { Name = "axis", Type = AttributeProto.Types.AttributeType.Int, I = start };
    }

    private static string Stem(string name) => name.EndsWith("_folded", StringComparison.Ordinal) ? name : $"{name}_folded";

    private Verdict MapConstant(NodeProto reader, int input, RealTensor constant, ChannelMap map)
    {
        if (!map.IsUniform && (map.Axis >= constant.Rank || constant.Shape[map.Axis] != map.Count))
            return Verdict.No($"'{reader.InputAt(input)}' has not the shape that {map.Count} channels on axis {map.Axis} need");
        SetConstant(reader, input, Broadcasting.Apply(map, constant, constant.Rank));
        return Verdict.Yes;
    }

    private Verdict Deeper(NodeProto node, Func<Verdict> step)
    {
        if (_depth == MaximumDepth) return Verdict.No($"the operators around {node.Describe()} are nested too deeply");
        _depth++;
        var verdict = step();
        _depth--;
        return verdict;
    }

    private sealed class NodeInputComparer : IEqualityComparer<(NodeProto Node, int Input)>
    {
        public static NodeInputComparer Instance { get; } = new();

        public bool Equals((NodeProto Node, int Input) x, (NodeProto Node, int Input) y) =>
            ReferenceEquals(x.Node, y.Node) && x.Input == y.Input;

        public int GetHashCode((NodeProto Node, int Input) key) =>
            HashCode.Combine(System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(key.Node), key.Input);
    }
}
