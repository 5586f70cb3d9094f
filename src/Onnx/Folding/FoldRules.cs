using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>All rules, by operator. Every class derived from <see cref="FoldRule"/> is one: a new rule needs no entry anywhere.</summary>
internal static class FoldRules
{
    private static readonly Dictionary<string, FoldRule> ByOperator = typeof(FoldRules).Assembly.GetTypes()
        .Where(type => type.IsSubclassOf(typeof(FoldRule)) && !type.IsAbstract)
        .Select(type => (FoldRule)Activator.CreateInstance(type)!)
        .SelectMany(rule => rule.Operators.Select(name => (name, rule)))
        .ToDictionary(pair => pair.name, pair => pair.rule, StringComparer.Ordinal);

    /// <summary>The rule for a node, or null when no rule knows its operator.</summary>
    public static FoldRule? For(NodeProto node) => node.IsStandard() ? ByOperator.GetValueOrDefault(node.OpType) : null;
}
