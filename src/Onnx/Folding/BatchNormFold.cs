using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>One batch normalization on its way: tried again after every change of the graph, until it is gone or nothing helps.</summary>
internal sealed class BatchNormFold
{
    // Outside of this range float32 keeps fewer digits of the product than of its factors' sum elsewhere in the network.
    private const double LargestScale = 1e6;

    private readonly OnnxGraph _graph;
    private readonly NodeProto _node;
    private readonly string _name;

    private readonly bool _isKept;

    /// <param name="node">The batch normalization.</param>
    /// <param name="graph">The graph that it stands in.</param>
    /// <param name="whyKept">Why it is to stay as it is; null where it may be folded.</param>
    public BatchNormFold(NodeProto node, OnnxGraph graph, string? whyKept = null)
    {
        (_node, _graph, _name, _isKept) = (node, graph, node.Label(), whyKept is not null);
        Outcome = new BatchNormOutcome(_name, FoldStatus.Declined, string.Empty, whyKept ?? string.Empty);
    }

    /// <summary>The node, which stands nowhere any more once it <see cref="IsGone"/>.</summary>
    public NodeProto Node => _node;

    public BatchNormOutcome Outcome { get; private set; }

    /// <summary>A loss of precision that the fold brings, or null.</summary>
    public string? Warning { get; private set; }

    public bool IsGone => Outcome.Status != FoldStatus.Declined;

    /// <summary>Tries to move the map into what stands before, then into what stands behind.</summary>
    public bool TryFold()
    {
        if (!TryRead(out var map)) return false;
        var up = new FoldPlan(_graph);
        var verdict = _graph.Constant(_node.Input[0]).Tensor is null
            ? up.Behind(_node, 0, map)
            : Verdict.No($"'{_node.Input[0]}' is a constant");
        if (verdict.IsYes) verdict = up.CheckNumbers();
        if (verdict.IsYes)
        {
            up.Apply();
            _graph.RemoveKeepingOutput(_node, 0);
            Gone(up, map);
            return true;
        }

        var down = new FoldPlan(_graph);
        var other = down.InFront(_node.Output[0], map);
        if (other.IsYes) other = down.CheckNumbers();
        if (other.IsYes)
        {
            down.Apply();
            _graph.RemoveKeepingInput(_node, 0);
            Gone(down, map);
            return true;
        }

        var both = verdict.Reason == other.Reason ? verdict.Reason! : $"before it: {verdict.Reason}; behind it: {other.Reason}";
        Outcome = Outcome with { Reason = both };
        return false;
    }

    /// <summary>
    /// s·x + t = s·(x + t/s): where only the shift is in the way (a convolution that pads with zeros), the scale moves on alone and an Add
    /// remains. Nothing is lost: the error of x + t/s, times s, is that of s·x + t.
    /// </summary>
    /// <remarks>
    /// The scale could move through rectifiers too, but an Add with a vector per channel keeps ONNX Runtime from its blocked memory layout:
    /// DenseNet-121 became a fifth slower that way with all optimizations on.
    /// </remarks>
    public void MoveScaleOn()
    {
        if (!TryRead(out var map) || !map.HasShift || map.Scale.Contains(0)) return;
        if (!_graph.Readers(_node.Output[0]).All(use => use.Node.OpType is "Conv" or "ConvTranspose" or "Pad")) return;
        var plan = new FoldPlan(_graph);
        if (!plan.InFront(_node.Output[0], map.WithoutShift()).IsYes || !plan.CheckNumbers().IsYes) return;
        if (Vector(map with { Shift = [.. map.Shift.Zip(map.Scale, (t, s) => t / s)] }, map => map.Shift) is not { } shift) return;
        var reason = Outcome.Reason;
        plan.Apply();
        _graph.Replace(_node, "Add", shift, FoldPlan.LegacyBroadcast(_graph.Opset, axis: 1));
        Gone(plan, map);
        Outcome = new BatchNormOutcome(_name, FoldStatus.Rewritten, $"Add, {plan.Into}", reason);
    }

    /// <summary>Puts Mul and Add in place of a batch normalization that nothing takes in.</summary>
    public void Expand()
    {
        if (IsGone || !TryRead(out var map)) return;
        if (Vector(map, map => map.Scale) is not { } scale || Vector(map, map => map.Shift) is not { } shift) return;
        _graph.Replace(_node, "Mul", scale, FoldPlan.LegacyBroadcast(_graph.Opset, axis: 1));
        _graph.InsertBehind(_node, "Add", shift, FoldPlan.LegacyBroadcast(_graph.Opset, axis: 1));
        Outcome = Outcome with { Status = FoldStatus.Rewritten, Into = "Mul, Add" };
    }

    private bool TryRead(out ChannelMap map)
    {
        map = new ChannelMap(1, [], []);
        if (_isKept) return false;
        var verdict = BatchNormReader.Read(_node, new FoldPlan(_graph), out map);
        if (!verdict.IsYes) Outcome = Outcome with { Reason = verdict.Reason! };
        return verdict.IsYes;
    }

    // The vector as a constant that broadcasts along axis 1, which takes a known rank: [C, 1, …, 1].
    private RealTensor? Vector(ChannelMap map, Func<ChannelMap, double[]> select)
    {
        if (_graph.Shape(_node.Input[0])?.Rank is not { } rank || rank < 2) return null;
        var shape = _graph.Opset < 7 ? [map.Count] : Broadcasting.OnAxis(map, rank);
        var tensor = RealTensor.Of(_graph.Constant(_node.Input[1]).Tensor!.Type, select(map), shape);
        return tensor.Largest() <= ElementTypes.Of(tensor.Type).Largest ? tensor : null;
    }

    private void Gone(FoldPlan plan, ChannelMap map)
    {
        var composed = plan.Absorbers.All(node => node.OpType is "BatchNormalization" or "Mul" or "Div" or "Add" or "Sub" or "Sum");
        Outcome = new BatchNormOutcome(_name, composed ? FoldStatus.Composed : FoldStatus.Folded, plan.Into, string.Empty);
        var odd = map.Scale.Where(scale => scale != 0 && Math.Abs(scale) is > LargestScale or < 1 / LargestScale).ToArray();
        if (odd.Length > 0)
        {
            Warning = $"'{_name}': in {odd.Length} of {map.Count} channels γ/√(σ²+ε) lies outside 1e-6 to 1e6 "
                + $"(the first is {odd[0]:G3}), so folding it may lose precision.";
        }
    }
}
