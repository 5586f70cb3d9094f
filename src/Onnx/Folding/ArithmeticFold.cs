using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>Constant Mul, Div, Add and Sub directly before or behind a batch normalization: they become part of it.</summary>
internal static class ArithmeticFold
{
    /// <summary>Merges a node into the batch normalization before it.</summary>
    public static bool TryMergeUp(NodeProto node, OnnxGraph graph)
    {
        if (!graph.Contains(node)) return false;
        var plan = new FoldPlan(graph);
        if (ConstantArithmetic.Read(node, plan, out var data) is not { } map) return false;
        if (graph.Producer(node.Input[data])?.Is("BatchNormalization") != true) return false;
        if (!plan.Behind(node, data, map).IsYes || !plan.CheckNumbers().IsYes) return false;
        plan.Apply();
        graph.RemoveKeepingOutput(node, data);
        return true;
    }

    /// <summary>Merges a node into the batch normalization behind it.</summary>
    public static bool TryMergeDown(NodeProto node, OnnxGraph graph)
    {
        if (!graph.Contains(node)) return false;
        var plan = new FoldPlan(graph);
        if (ConstantArithmetic.Read(node, plan, out var data) is not { } map) return false;
        var readers = graph.Readers(node.Output[0]);
        if (readers.Count == 0 || !readers.All(use => use.Node.Is("BatchNormalization"))) return false;
        if (!plan.InFront(node.Output[0], map).IsYes || !plan.CheckNumbers().IsYes) return false;
        plan.Apply();
        graph.RemoveKeepingInput(node, data);
        return true;
    }
}
