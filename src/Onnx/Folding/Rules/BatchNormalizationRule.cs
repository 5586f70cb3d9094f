using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding.Rules;

/// <summary>
/// y = a·(x − μ) + β with a = γ / √(σ² + ε). Only γ and β change, so the composed map is as exact as each. Behind: γ' = s·γ, β' = s·β + t. In
/// front: γ' = γ·s, β' = β + a·(t − μ) + a·s·μ.
/// </summary>
internal sealed class BatchNormalizationRule : FoldRule
{
    public override IReadOnlyList<string> Operators => ["BatchNormalization"];

    public override Verdict Behind(NodeProto node, ChannelMap map, FoldPlan plan) =>
        Compose(node, map, plan, (gamma, beta, _, _, s, t) => (s * gamma, (s * beta) + t));

    public override Verdict InFront(NodeProto node, int input, ChannelMap map, FoldPlan plan) =>
        input != 0
            ? Verdict.No($"{node.Describe()} reads it as a parameter")
            : Compose(node, map, plan, (gamma, beta, a, mean, s, t) => (gamma * s, beta + (a * (t - mean)) + (a * s * mean)));

    private static Verdict Compose(NodeProto node, ChannelMap map, FoldPlan plan, Composition compose)
    {
        if (!map.IsUniform && map.Axis != 1) return WrongAxis(node, map, "axis 1");
        var verdict = BatchNormReader.Read(node, plan, out var own);
        if (!verdict.IsYes) return Verdict.No($"{node.Describe()} cannot be changed: {verdict.Reason}");
        if (!map.Fits(own.Count)) return WrongCount(node, map, own.Count);
        var (scale, bias) = (plan.Constant(node, 1).Tensor!, plan.Constant(node, 2).Tensor!);
        var (gamma, beta, mean) = (scale.ToArray(), bias.ToArray(), plan.Constant(node, 3).Tensor!.ToArray());
        for (var c = 0; c < gamma.Length; c++) (gamma[c], beta[c]) = compose(gamma[c], beta[c], own.Scale[c], mean[c], map.ScaleAt(c), map.ShiftAt(c));
        plan.SetConstant(node, 1, RealTensor.Of(scale.Type, gamma, gamma.Length));
        plan.SetConstant(node, 2, RealTensor.Of(bias.Type, beta, beta.Length));
        return Verdict.Yes;
    }

    private delegate (double Gamma, double Beta) Composition(double gamma, double beta, double a, double mean, double s, double t);
}
