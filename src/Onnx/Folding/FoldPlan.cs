using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

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

    // A value that is read on many ways is met on each of them: this bounds how many are followed in one plan.
    private const int MaximumSteps = 2000;

    // A single fold may make the file larger by this, or by a few times what it changes.
    private const long FreeBytes = 1 << 22;
    private const long LargestGrowth = 4;

    private readonly List<NodeProto> _absorbers = [];
    private readonly List<(NodeProto Node, AttributeProto Attribute)> _attributes = [];
    private readonly List<(NodeProto Node, RealTensor Shift)> _shifts = [];
    private readonly List<(NodeProto Node, (string OpType, RealTensor Operand)[] Chain)> _replacements = [];
    private readonly List<NodeProto> _twins = [];
    private readonly HashSet<NodeProto> _leaving = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<string> _changed = new(StringComparer.Ordinal);
    private Dictionary<(NodeProto Node, int Input), (RealTensor Tensor, string Stem)> _constants = new(NodeInputComparer.Instance);
    private int _depth;
    private int _steps;

    /// <summary>The graph as it is, before the plan.</summary>
    public OnnxGraph Graph => graph;

    /// <summary>The element type of what the map is done to, for new constants that stand beside none.</summary>
    public DataType Type { get; init; } = DataType.Float;

    /// <summary>Whether a batch normalization is to stay as it is, and cannot go with another one; null = none is.</summary>
    public Func<NodeProto, bool>? IsKept { get; init; }

    /// <summary>The nodes whose constants change.</summary>
    public IReadOnlyList<NodeProto> Absorbers => _absorbers;

    /// <summary>The names of <see cref="Absorbers"/>.</summary>
    public string Into => string.Join(", ", _absorbers.Select(node => node.Label()));

    /// <summary>
    /// Batch normalizations that do the same to other parts of the same value (a batch that is cut into parts), or to the same value once
    /// more: they go with the one that the plan is for.
    /// </summary>
    public IReadOnlyList<NodeProto> Twins => _twins;

    /// <summary>Nodes that will be taken out once the plan is carried out, so that nothing may be put into them.</summary>
    public void Leave(IEnumerable<NodeProto> nodes) => _leaving.UnionWith(nodes);

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
        Absorb(node);
    }

    /// <summary>Puts one or several operators on constants in the place of a node of one input.</summary>
    /// <param name="node">The node.</param>
    /// <param name="chain">The operators, each with its second operand, in the order in which they work.</param>
    public void Replace(NodeProto node, params (string OpType, RealTensor Operand)[] chain)
    {
        _replacements.Add((node, chain));
        Absorb(node);
    }

    /// <summary>Notes that a node takes the map in.</summary>
    public void Absorb(NodeProto node)
    {
        if (!Changes(node)) _absorbers.Add(node);
    }

    /// <summary>Whether the plan already changes a node; not every rule can change one twice.</summary>
    public bool Changes(NodeProto node) => _absorbers.Exists(absorber => ReferenceEquals(absorber, node));

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
            && graph.Readers(output) is [{ IsCapture: false, Node: var reader } use] && reader.Is("Add") && !_leaving.Contains(reader))
        {
            var other = 1 - use.Input;
            if (Constant(reader, other).Tensor is { } summand && Broadcasting.Combine(summand, shift, static (a, b) => a + b) is { } sum)
            {
                SetConstant(reader, other, sum);
                _changed.Add(output);
                return;
            }
        }

        Absorb(node);
        var before = _shifts.FindIndex(planned => ReferenceEquals(planned.Node, node));
        if (before < 0) _shifts.Add((node, shift));
        else _shifts[before] = (node, Broadcasting.Combine(_shifts[before].Shift, shift, static (a, b) => a + b)!);
    }

    /// <summary>Makes the value that a node reads become map(value), by changing what makes the value.</summary>
    /// <param name="reader">The only node that may read the value.</param>
    /// <param name="input">Which of its inputs.</param>
    /// <param name="map">The map, on the value's own axes.</param>
    /// <param name="isUnharmed">Says of another place that reads the value whether the map makes no difference there; null = never.</param>
    public Verdict Behind(NodeProto reader, int input, ChannelMap map, Func<Use, bool>? isUnharmed = null)
    {
        var value = reader.InputAt(input);
        if (WhyNoChannels(value, map) is { } none) return none;
        if (Constant(reader, input).Tensor is { } constant) return MapConstant(reader, input, constant, map);
        if (graph.WhyOthersRead(value, reader, input, use => isUnharmed?.Invoke(use) == true || HasSameMap(use, map)) is { } others)
            return Verdict.No(others, $"nothing else read '{value}'");
        if (graph.Producer(value) is not { } producer)
            return Verdict.No($"'{value}' comes from outside the graph", $"an operator with weights made '{value}'");
        if (FoldRules.For(producer) is not { } rule) return NoRule(producer);
        _changed.Add(value);
        return Deeper(producer, () => rule.Behind(producer, producer.Output.IndexOf(value), map, this));
    }

    /// <summary>
    /// Whether what reads a value at one place is nothing but batch normalizations that do to it just what the map does: they become twins,
    /// and need not keep the value as it was.
    /// </summary>
    public bool HasSameMap(Use use, ChannelMap map, int depth = 0)
    {
        var node = use.Node;
        if (use.IsCapture || use.Input != 0 || depth > 3) return false;
        _changed.Add(node.Input[0]);
        if (node.Is("BatchNormalization"))
        {
            if (IsKept?.Invoke(node) == true) return false;
            if (_twins.Contains(node, ReferenceEqualityComparer.Instance)) return true;
            // What subgraphs read keeps its name.
            if (graph.Readers(node.Output[0]).Any(reader => reader.IsCapture)) return false;
            // Of two outputs of the graph that are one value only one could keep its name.
            if (graph.IsOutput(node.Output[0]) && graph.Readers(node.Input[0]).Count > 1) return false;
            if (!BatchNormReader.Read(node, this, out var own).IsYes || !own.IsSameAs(map)) return false;
            _twins.Add(node);
            _changed.Add(node.Input[0]);
            return true;
        }

        // Parts of the batch, or of the locations, do not touch the channels.
        if (!node.Is("Split") && !node.Is("Slice") && !node.Is("Identity")) return false;
        return AxisRange.IsKept(node, graph, map.IsUniform ? null : map.Axis)
            && node.Output.All(output => !graph.IsOutput(output) && graph.Readers(output).All(inner => HasSameMap(inner, map, depth + 1)));
    }

    /// <summary>Makes every reader of a value give on the value what it gave on map(value).</summary>
    public Verdict InFront(string value, ChannelMap map)
    {
        if (WhyNoChannels(value, map) is { } none) return none;
        if (graph.IsOutput(value)) return Verdict.No($"'{value}' is an output of the graph", $"'{value}' were no output of the graph");
        var readers = graph.Readers(value);
        if (readers.Count == 0) return Verdict.No($"nothing reads '{value}'");
        _changed.Add(value);
        foreach (var use in readers)
        {
            if (use.IsCapture) return Verdict.No($"'{value}' is read inside {use.Node.Describe()}");
            if (FoldRules.For(use.Node) is not { } rule) return NoRule(use.Node);
            var verdict = Deeper(use.Node, () => rule.InFront(use.Node, use.Input, map, this));
            if (!verdict.IsYes) return verdict;
        }

        return Verdict.Yes;
    }

    /// <summary>Notes a value that is another one after the plan, where no rule was asked about it.</summary>
    public void Touch(string value) => _changed.Add(value);

    /// <summary>Tries one way; when it fails, the plan is as it was before.</summary>
    public Verdict Try(Func<Verdict> way)
    {
        var constants = new Dictionary<(NodeProto, int), (RealTensor, string)>(_constants, NodeInputComparer.Instance);
        var (absorbers, attributes, shifts) = (_absorbers.Count, _attributes.Count, _shifts.ToArray());
        var (replacements, twins) = (_replacements.Count, _twins.Count);
        var verdict = way();
        if (verdict.IsYes) return verdict;
        _constants = constants;
        _absorbers.RemoveRange(absorbers, _absorbers.Count - absorbers);
        _attributes.RemoveRange(attributes, _attributes.Count - attributes);
        _replacements.RemoveRange(replacements, _replacements.Count - replacements);
        _twins.RemoveRange(twins, _twins.Count - twins);
        _shifts.Clear();
        _shifts.AddRange(shifts);
        return verdict;
    }

    /// <summary>
    /// The last precondition: every new number can be written in its tensor's type, and writing them makes the file not many times larger.
    /// </summary>
    public Verdict CheckNumbers()
    {
        var bytes = _constants.Values.Sum(planned => planned.Tensor.WrittenBytes) + _shifts.Sum(planned => planned.Shift.WrittenBytes);
        var stored = _constants.Keys.Sum(key => graph.Constant(key.Node.InputAt(key.Input)).Tensor?.Stored ?? 0);
        if (bytes > FreeBytes + (LargestGrowth * stored))
            return Verdict.No(
                $"{bytes:N0} bytes of constants would have to be written out in place of {stored:N0}", "the constants were stored in full");
        var bounds = _replacements.SelectMany(planned => planned.Chain.Select(step => (planned.Node, step.Operand)));
        if (!graph.Budget.MayGrow(Growth()))
            return Verdict.No(
                $"the model would become more than {graph.Budget.MaximumGrowth} times as large",
                "the constants were stored in full, or more were allowed (FoldOptions.MaximumGrowth, --maximum-growth)");
        if (graph.Budget.WhyNoMore(bytes >> 13) is { } over) return OutOfBudget(over);
        foreach (var (node, tensor) in
            _constants.Select(planned => (planned.Key.Node, planned.Value.Tensor)).Concat(_shifts).Concat(bounds))
        {
            var largest = tensor.Largest();
            if (double.IsNaN(largest))
                return Verdict.No($"a weight of {node.Describe()} would not be a number", "all scales, shifts and weights were finite");
            if (largest > ElementTypes.Of(tensor.Type).Largest)
                return Verdict.No(
                    $"a weight of {node.Describe()} would be {largest:G3}, too large for {tensor.Type}",
                    $"the weight stayed within {ElementTypes.Of(tensor.Type).Largest:G3}, or were stored in a wider type");
        }

        return Verdict.Yes;
    }

    // What the file becomes larger: a constant that nobody else reads goes.
    private long Growth() =>
        _constants.Sum(planned => planned.Value.Tensor.WrittenBytes - Replaced(planned.Key.Node.InputAt(planned.Key.Input)))
        + _shifts.Sum(planned => planned.Shift.WrittenBytes);

    private long Replaced(string value) => value.Length > 0 && graph.Readers(value).Count == 1 ? graph.StoredBytes(value) : 0;

    private static Verdict OutOfBudget(string why) =>
        Verdict.No(why, "it were given more time (FoldOptions.TimeLimit, --time-limit), or were simpler");

    /// <summary>Carries the plan out.</summary>
    public void Apply()
    {
        graph.Budget.Grow(Growth());
        graph.Changed.UnionWith(_changed);
        foreach (var ((node, input), (tensor, stem)) in _constants) graph.SetConstant(node, input, tensor, stem);
        foreach (var (node, attribute) in _attributes) OnnxGraph.SetAttribute(node, attribute);
        foreach (var (node, shift) in _shifts) graph.InsertBehind(node, "Add", shift, LegacyBroadcast(graph.Opset));
        foreach (var (node, chain) in _replacements)
        {
            graph.Replace(node, chain[0].OpType, chain[0].Operand, []);
            var last = node;
            foreach (var (opType, operand) in chain[1..]) last = graph.InsertBehind(last, opType, operand, []);
        }

        foreach (var twin in _twins)
        {
            if (graph.IsOutput(twin.Output[0])) graph.RemoveKeepingOutput(twin, 0);
            else graph.RemoveKeepingInput(twin, 0);
        }
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

    // What was folded before, "w_folded_2", does not get longer by each fold.
    private static string Stem(string name)
    {
        var plain = name.TrimEnd("0123456789".ToCharArray()).TrimEnd('_');
        return plain.EndsWith("_folded", StringComparison.Ordinal) ? plain : $"{name}_folded";
    }

    private Verdict MapConstant(NodeProto reader, int input, RealTensor constant, ChannelMap map)
    {
        if (!map.IsUniform && (map.Axis >= constant.Rank || constant.Shape[map.Axis] != map.Count))
            return Verdict.No(
                $"'{reader.InputAt(input)}' has not the shape that {map.Count} channels on axis {map.Axis} need",
                $"'{reader.InputAt(input)}' had {map.Count} elements on axis {map.Axis}");
        SetConstant(reader, input, Broadcasting.Apply(map, constant, constant.Rank)!);
        return Verdict.Yes;
    }

    /// <summary>How many channels a map may have.</summary>
    public int MostChannels => graph.Budget.MostChannels;

    /// <summary>The number of dimensions of a value; null where it is not known, or the map has no place among them.</summary>
    public int? Rank(string value, ChannelMap map) =>
        graph.Shape(value)?.Rank is { } rank && (map.IsUniform || map.Axis < rank) ? rank : null;

    // All rules rely on this: the map has channels, and they lie on an axis that the value has.
    private Verdict? WhyNoChannels(string value, ChannelMap map)
    {
        if (map.Count == 0) return Verdict.No($"'{value}' has no channels");
        if (!map.IsUniform && (map.Axis < 0 || (graph.Shape(value)?.Rank is { } rank && map.Axis >= rank)))
            return Verdict.No($"'{value}' has no axis {map.Axis}, where {map.Count} channels would lie");
        return graph.Budget.WhyNoMore(map.Count >> 10) is { } over ? OutOfBudget(over) : null;
    }

    private static Verdict NoRule(NodeProto node) => Verdict.No(
        $"{node.Describe()} can take in no scale or shift",
        $"{node.Describe()} were a layer with weights (Conv, Gemm, MatMul, …) or an operator that leaves channels as they are");

    private Verdict Deeper(NodeProto node, Func<Verdict> step)
    {
        if (_depth == MaximumDepth)
            return Verdict.No(
                $"the operators around {node.Describe()} are nested too deeply", $"fewer than {MaximumDepth} operators lay in between");
        if (++_steps > MaximumSteps)
            return Verdict.No(
                $"too many ways lead through {node.Describe()} to follow them all", $"fewer than {MaximumSteps} ways led to the weights");
        if (graph.Budget.WhyNoMore(1) is { } over) return OutOfBudget(over);
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
