using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>
/// What one kind of operator can do with a channel map next to it: take it into its weights, or hand it on to its own neighbours. A rule
/// matches (by <see cref="Operators"/>), checks (a <see cref="Verdict"/> with the reason when it cannot), and describes the rewrite in the
/// <see cref="FoldPlan"/>; it never edits. Fan-out, graph outputs, captures by subgraphs, shared weights and names are the plan's business.
/// </summary>
/// <remarks>Each rule has its line in <see cref="FoldRules"/>. See docs/folding.md.</remarks>
internal abstract class FoldRule
{
    /// <summary>The operators of the default domain that this rule knows.</summary>
    public abstract IReadOnlyList<string> Operators { get; }

    /// <summary>Makes the node's first output y become map(y).</summary>
    public abstract Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan);

    /// <summary>Makes one of the node's outputs y become map(y), and leaves the others as they are.</summary>
    public virtual Verdict Behind(NodeProto node, int output, ChannelMap map, FoldPlan plan) =>
        output == 0 ? Behind(node, map, plan) : Verdict.No($"'{node.Output[output]}' is not the first output of {node.Describe()}");

    /// <summary>Makes the node give, on the plain x, what it gave on map(x), where x is the given input.</summary>
    public abstract Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan);

    /// <summary>That a constant that the rule needs is none, and why.</summary>
    protected static Verdict NotConstant(NodeProto node, string role, ConstantLookup lookup) =>
        Verdict.No(
            $"the {role} of {node.Describe()} cannot be changed: {lookup.Reason}", $"the {role} of {node.Describe()} were a constant");

    /// <summary>That the channels of the map do not lie where the rule needs them.</summary>
    protected static Verdict WrongAxis(NodeProto node, ChannelMap map, string expected) =>
        Verdict.No(
            $"the channels lie on axis {map.Axis}, but {node.Describe()} needs them on {expected}",
            $"the channels that {node.Describe()} sees lay on {expected}");

    /// <summary>That the map has another number of channels than the weights.</summary>
    protected static Verdict WrongCount(NodeProto node, ChannelMap map, long expected) =>
        Verdict.No(
            $"there are {map.Count} channels, but {node.Describe()} has {expected}",
            $"{node.Describe()} had a number of its own for each of the {map.Count} channels");

    /// <summary>That the rank of a value must be known.</summary>
    protected static Verdict UnknownRank(string value) =>
        Verdict.No(
            $"the number of dimensions of '{value}' is not known",
            $"the model declared the shape of '{value}' (value_info, or its inputs)");

    /// <summary>That two constants would have to be multiplied out to something far larger than both.</summary>
    protected static Verdict TooLarge(NodeProto node) =>
        Verdict.No(
            $"the constant of {node.Describe()} would be multiplied out to many times its size",
            $"the constant of {node.Describe()} had the channels as its only axis");
}

/// <summary>Whether something can be done; if not, a clause that says why ("'relu1' is not linear").</summary>
/// <param name="Reason">Null when it can be done.</param>
/// <param name="Unless">What would have to be true so that it could: a clause behind "if". Null when nothing would help.</param>
internal readonly record struct Verdict(string? Reason, string? Unless = null)
{
    public static Verdict Yes => default;

    public bool IsYes => Reason is null;

    public static Verdict No(string reason, string? unless = null) => new(reason, unless);
}

/// <summary>All rules.</summary>
internal static class FoldRules
{
    private static readonly Dictionary<string, FoldRule> ByOperator = new FoldRule[]
    {
        new ConvRule(),
        new ConvTransposeRule(),
        new GemmRule(),
        new MatMulRule(),
        new EinsumRule(),
        new AddRule(),
        new MulRule(),
        new MaxMinRule(),
        new ClipRule(),
        new BatchNormalizationRule(),
        new ConcatRule(),
        new SplitRule(),
        new SliceRule(),
        new GatherRule(),
        new TileRule(),
        new DepthToSpaceRule(),
        new SpaceToDepthRule(),
        new ReshapeRule(),
        new IdentityRule(),
        new ReluRule(),
        new AveragePoolRule(),
        new MaxPoolRule(),
        new PadRule(),
        new TransposeRule(),
        new NegRule(),
        new CastRule(),
        new ResizeRule(),
        new ExpandRule(),
        new ReduceMeanRule(),
        new ReduceSumRule(),
        new ReduceMaxRule(),
        new ShapeRule(),
    }
    .SelectMany(rule => rule.Operators.Select(name => (name, rule)))
    .ToDictionary(pair => pair.name, pair => pair.rule, StringComparer.Ordinal);

    /// <summary>The rule for a node, or null when no rule knows its operator.</summary>
    public static FoldRule? For(NodeProto node) => node.IsStandard() ? ByOperator.GetValueOrDefault(node.OpType) : null;
}
