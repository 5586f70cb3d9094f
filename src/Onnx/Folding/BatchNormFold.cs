using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>
/// What folds tell each other: which batch normalizations went together with another one, and which took constant arithmetic in.
/// </summary>
/// <param name="trace">Says which nodes are to stay; null when all may be folded.</param>
internal sealed class FoldLog(FoldTrace? trace)
{
    private readonly Dictionary<NodeProto, (FoldStatus Status, string Into)> _twins = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<NodeProto, List<string>> _taken = new(ReferenceEqualityComparer.Instance);

    /// <summary>Why a node is to stay as it is; null where it may be folded.</summary>
    public string? WhyKept(NodeProto node) => trace?.WhyDeclined(node);

    /// <summary>Notes nodes that are gone with another one.</summary>
    public void Gone(IEnumerable<NodeProto> twins, FoldStatus status, string into)
    {
        foreach (var twin in twins) _twins[twin] = (status, into);
    }

    /// <summary>Notes that a node became part of others, which stay.</summary>
    public void Merged(NodeProto node, IEnumerable<NodeProto> into)
    {
        foreach (var other in into)
        {
            if (!_taken.TryGetValue(other, out var labels)) _taken.Add(other, labels = []);
            labels.Add(node.Label());
        }
    }

    /// <summary>What became of a node that went with another one; null when it did not.</summary>
    public (FoldStatus Status, string Into)? Twin(NodeProto node) => _twins.TryGetValue(node, out var gone) ? gone : null;

    /// <summary>The names of what a node took in.</summary>
    public IReadOnlyList<string> Taken(NodeProto node) => _taken.GetValueOrDefault(node) ?? [];
}

/// <summary>One batch normalization on its way: tried again after every change of the graph, until it is gone or nothing helps.</summary>
internal sealed class BatchNormFold
{
    // Outside of this range float32 keeps fewer digits of the product than of its factors' sum elsewhere in the network.
    private const double LargestScale = 1e6;

    // Of thousands that were taken in, the first will do.
    private const int MostNamed = 8;

    private readonly OnnxGraph _graph;
    private readonly NodeProto _node;
    private readonly FoldLog _log;
    private readonly string _name;
    private BatchNormOutcome _outcome;

    private readonly bool _isKept;

    public BatchNormFold(NodeProto node, OnnxGraph graph, FoldLog log)
    {
        var whyKept = log.WhyKept(node);
        (_node, _graph, _log, _name, _isKept) = (node, graph, log, node.Label(), whyKept is not null);
        _outcome = new BatchNormOutcome(_name, FoldStatus.Declined, string.Empty, whyKept ?? string.Empty);
    }

    /// <summary>The node, which stands nowhere any more once it <see cref="IsGone"/>.</summary>
    public NodeProto Node => _node;

    /// <summary>What became of it; something simpler, when it stays but took in the arithmetic beside it.</summary>
    public BatchNormOutcome Outcome => _outcome.Status == FoldStatus.Declined && _log.Taken(_node) is { Count: > 0 } taken
        ? _outcome with { Status = FoldStatus.Rewritten, Into = $"BatchNormalization with {TextList.First(taken, MostNamed)}" }
        : _outcome;

    /// <summary>A loss of precision that the fold brings, or null.</summary>
    public string? Warning { get; private set; }

    public bool IsGone => _outcome.Status != FoldStatus.Declined;

    /// <summary>Tries to move the map into what stands before, then into what stands behind.</summary>
    public bool TryFold()
    {
        if (_log.Twin(_node) is { } gone)
        {
            _outcome = new BatchNormOutcome(_name, gone.Status, gone.Into, string.Empty);
            return true;
        }

        if (!TryRead(out var map)) return false;
        var up = NewPlan();
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

        var down = NewPlan();
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
        string?[] unless = [verdict.Unless, other.Unless];
        _outcome = _outcome with
        {
            Reason = both,
            WouldFoldIf = string.Join("; or if ", unless.OfType<string>().Distinct()),
        };
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
        var plan = NewPlan();
        if (!plan.InFront(_node.Output[0], map.WithoutShift()).IsYes || !plan.CheckNumbers().IsYes) return;
        if (Vector(map with { Shift = [.. map.Shift.Zip(map.Scale, (t, s) => t / s)] }, map => map.Shift) is not { } shift) return;
        var (reason, unless) = (_outcome.Reason, _outcome.WouldFoldIf);
        plan.Apply();
        _graph.Replace(_node, "Add", shift, FoldPlan.LegacyBroadcast(_graph.Opset, axis: 1));
        Gone(plan, map);
        _outcome = new BatchNormOutcome(_name, FoldStatus.Rewritten, $"Add, {plan.Into}", reason) { WouldFoldIf = unless };
    }

    /// <summary>Puts Mul and Add in place of a batch normalization that nothing takes in.</summary>
    public void Expand()
    {
        if (IsGone || !TryRead(out var map)) return;
        if (Vector(map, map => map.Scale) is not { } scale || Vector(map, map => map.Shift) is not { } shift) return;
        _graph.Replace(_node, "Mul", scale, FoldPlan.LegacyBroadcast(_graph.Opset, axis: 1));
        _graph.InsertBehind(_node, "Add", shift, FoldPlan.LegacyBroadcast(_graph.Opset, axis: 1));
        _outcome = _outcome with { Status = FoldStatus.Rewritten, Into = "Mul, Add" };
    }

    private bool TryRead(out ChannelMap map)
    {
        map = new ChannelMap(1, [], []);
        if (_isKept) return false;
        var verdict = BatchNormReader.Read(_node, new FoldPlan(_graph), out map);
        if (!verdict.IsYes) _outcome = _outcome with { Reason = verdict.Reason!, WouldFoldIf = verdict.Unless ?? string.Empty };
        return verdict.IsYes;
    }

    // The scale has the type of the data, except beside halves from operator set 15 on.
    private FoldPlan NewPlan() => new(_graph)
    {
        Type = _graph.Constant(_node.Input[1]).Tensor!.Type,
        IsKept = node => _log.WhyKept(node) is not null,
    };

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
        _outcome = new BatchNormOutcome(_name, composed ? FoldStatus.Composed : FoldStatus.Folded, plan.Into, string.Empty);
        _log.Gone(plan.Twins, _outcome.Status, plan.Into);
        var odd = map.Scale.Where(scale => scale != 0 && Math.Abs(scale) is > LargestScale or < 1 / LargestScale).ToArray();
        if (odd.Length > 0)
        {
            Warning = $"'{_name}': in {odd.Length} of {map.Count} channels γ/√(σ²+ε) lies outside 1e-6 to 1e6 "
                + $"(the first is {odd[0]:G3}), so folding it may lose precision.";
        }
    }
}
