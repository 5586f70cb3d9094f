using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>Reads x·k, x/k, x+k, x−k and k−x, with a constant k of one element or one per channel, as a channel map.</summary>
internal static class ConstantArithmetic
{
    /// <summary>The map of a node, or null when it is none of these.</summary>
    /// <param name="node">The node.</param>
    /// <param name="plan">Gives constants and shapes.</param>
    /// <param name="data">Which input is x.</param>
    public static ChannelMap? Read(NodeProto node, FoldPlan plan, out int data)
    {
        data = 0;
        if (!node.IsStandard() || node.OpType is not ("Mul" or "Div" or "Add" or "Sub")) return null;
        if (Operand(node, plan, out data, out var axis) is not { } k || (node.OpType == "Div" && data == 1)) return null;
        var (ones, zeros) = (Array.ConvertAll(k, _ => 1.0), new double[k.Length]);
        var map = (node.OpType, data) switch
        {
            ("Mul", _) => new ChannelMap(axis, k, zeros),
            ("Div", _) => new ChannelMap(axis, Array.ConvertAll(k, value => 1 / value), zeros),
            ("Add", _) => new ChannelMap(axis, ones, k),
            ("Sub", 0) => new ChannelMap(axis, ones, Array.ConvertAll(k, value => -value)),
            _ => new ChannelMap(axis, Array.ConvertAll(k, _ => -1.0), k),
        };
        return map.IsFinite ? map : null;
    }

    /// <summary>
    /// The constant that a node of two operands joins with x, when it has one element or one per channel; null otherwise.
    /// </summary>
    /// <param name="node">The node.</param>
    /// <param name="plan">Gives constants and shapes.</param>
    /// <param name="data">Which input is x.</param>
    /// <param name="axis">The axis of x that the channels lie on; without meaning for one element.</param>
    public static double[]? Operand(NodeProto node, FoldPlan plan, out int data, out int axis)
    {
        (data, axis) = (0, 0);
        if (node.Input.Count != 2) return null;
        var constant = plan.Constant(node, 1).Tensor;
        if (constant is null)
        {
            if (plan.Constant(node, 0).Tensor is not { } first) return null;
            (constant, data) = (first, 1);
        }

        if (ChannelAxis(node, plan.Graph, data, constant) is not { } found) return null;
        axis = found;
        return constant.ToArray();
    }

    private static int? ChannelAxis(NodeProto node, OnnxGraph graph, int data, RealTensor constant)
    {
        var rank = graph.Shape(node.InputAt(data))?.Rank;
        var wide = Enumerable.Range(0, constant.Rank).Where(axis => constant.Shape[axis] != 1).ToArray();
        if (wide.Length > 1 || constant.Count == 0) return null;
        if (graph.Opset < 7)
        {
            // The old broadcast aligns the constant at an axis that is given, or at the end.
            if (data != 0 || (node.Integer("broadcast", 0) == 0 && constant.Count != 1)) return null;
            if (wide.Length == 0) return 0;
            if (node.Attribute("axis") is { } given) return (int)given.I + wide[0];
            return rank is { } known ? known - constant.Rank + wide[0] : null;
        }

        // A constant of more dimensions than the data, or of more channels, would give the result a shape of its own.
        if (constant.Rank > 0 && (rank is null || constant.Rank > rank)) return null;
        if (wide.Length == 0) return 0;
        var axis = rank!.Value - constant.Rank + wide[0];
        return graph.Shape(node.InputAt(data))![axis].Size == constant.Count ? axis : null;
    }
}

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
