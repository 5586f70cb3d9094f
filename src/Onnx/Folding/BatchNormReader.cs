using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>
/// Reads a BatchNormalization as the map that it is at inference: scale = γ / √(σ² + ε), shift = β − μ·scale. Every dialect of the operator
/// is looked at here: what stood in its attributes has changed four times.
/// </summary>
internal static class BatchNormReader
{
    /// <summary>The map of a node.</summary>
    /// <param name="node">A BatchNormalization.</param>
    /// <param name="plan">Gives the four parameters, as the plan would leave them.</param>
    /// <param name="map">The map on axis 1.</param>
    /// <returns>Why the node is no fixed map, if so.</returns>
    public static Verdict Read(NodeProto node, FoldPlan plan, out ChannelMap map)
    {
        map = new ChannelMap(1, [], []);
        var mode = CheckMode(node, plan.Graph);
        if (!mode.IsYes) return mode;
        ReadOnlySpan<string> roles = ["scale", "bias", "mean", "variance"];
        var parameters = new double[4][];
        for (var i = 0; i < 4; i++)
        {
            var lookup = plan.Constant(node, i + 1);
            if (lookup.Tensor is null)
                return Verdict.No($"its {roles[i]} is not constant: {lookup.Reason}", $"its {roles[i]} were a constant");
            if (lookup.Tensor.Count == 0 || lookup.Tensor.Count > plan.MostChannels)
                return Verdict.No($"its {roles[i]} has {lookup.Tensor.Count} elements");
            parameters[i] = lookup.Tensor.ToArray();
            if (lookup.Tensor.Rank != 1 && !(lookup.Tensor.Rank == 0 && i > 0))
                return Verdict.No($"its {roles[i]} has {lookup.Tensor.Rank} dimensions instead of one");
            if (parameters[i].Length != parameters[0].Length)
                return Verdict.No($"its {roles[i]} has {parameters[i].Length} elements, but its scale has {parameters[0].Length}");
        }

        // ε is a float32 in the file, and added before the root.
        double epsilon = node.Real("epsilon", 1e-5f);
        var (gamma, beta, mean, variance) = (parameters[0], parameters[1], parameters[2], parameters[3]);
        var (scale, shift) = (new double[gamma.Length], new double[gamma.Length]);
        for (var c = 0; c < scale.Length; c++)
        {
            if (variance[c] + epsilon <= 0)
                return Verdict.No(
                    $"its variance plus epsilon is {variance[c] + epsilon:G4} in channel {c}, which has no square root to divide by",
                    "its variances plus epsilon were above zero");
            scale[c] = gamma[c] / Math.Sqrt(variance[c] + epsilon);
            shift[c] = beta[c] - (mean[c] * scale[c]);
        }

        map = new ChannelMap(1, scale, shift);
        if (!map.IsFinite)
            return Verdict.No("its parameters give a scale or shift that is not a finite number", "its parameters were finite");
        return Verdict.Yes;
    }

    private const string Inference = "the model were exported for inference";

    private static Verdict CheckMode(NodeProto node, OnnxGraph graph)
    {
        if (node.Attribute.Any(attribute => attribute.HasRefAttrName))
            return Verdict.No("an attribute of it is a parameter of the function around it");
        var outputs = node.Output.Count(output => output.Length > 0);
        if (graph.Opset < 7 && node.Integer("is_test", 0) == 0) return Verdict.No("it is in training mode (is_test = 0)", Inference);
        if (graph.Opset < 14 && outputs > 1) return Verdict.No($"it is in training mode ({outputs} outputs)", Inference);
        if (node.Integer("training_mode", 0) != 0) return Verdict.No("it is in training mode (training_mode = 1)", Inference);
        if (outputs > 1) return Verdict.No($"it has {outputs} outputs");
        if (graph.Opset < 9 && node.Integer("spatial", 1) == 0 && graph.Shape(node.InputAt(0)) is not { Rank: 2 })
            return Verdict.No("it normalizes every location by itself (spatial = 0)", "it normalized channels (spatial = 1)");
        return Verdict.Yes;
    }
}
