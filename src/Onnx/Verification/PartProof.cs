using System.Globalization;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>
/// Judges one part: is it the same function before and after, as far as the model's types can tell? Both sides are computed in float64 and
/// in the model's own types; the measure is how far the folded part lies from what float64 says, beside how far the part as it was lies
/// from it.
/// </summary>
/// <param name="Output">The output that is worst; null where the part could not be computed.</param>
/// <param name="Absolute">The largest error of the folded part.</param>
/// <param name="Relative">The same in relation to the largest value in the channel.</param>
/// <param name="Before">The error of the part as it was, in relation to the same.</param>
/// <param name="IsWithin">Whether it is the same function.</param>
/// <param name="WhyNot">Why the part could not be computed; null where it was.</param>
internal sealed record PartProof(string? Output, double Absolute, double Relative, double Before, bool IsWithin, string? WhyNot)
{
    // Other sums of the same numbers round differently; an error some times as large as that of the part as it was is no loss.
    private const double RoundingsAllowed = 8;

    // What lies as far below the largest value of the output as this, in its last digits, is zero for all that reads it.
    private const double Negligible = 1e-2;

    /// <summary>
    /// The error of types in relation to the scale of a channel that counts as rounding, whatever the part as it was had.
    /// </summary>
    public static double DefaultTolerance(DataType type) => type switch
    {
        DataType.Bfloat16 => 5e-2,
        DataType.Float16 => 1e-2,
        DataType.Double => 1e-12,
        _ => 1e-4,
    };

    /// <summary>Judges a part.</summary>
    /// <param name="part">The part.</param>
    /// <param name="tolerance">
    /// What is allowed in relation to the scale of a channel; null = by type, see <see cref="DefaultTolerance"/>.
    /// </param>
    /// <param name="data">Rows of the user's, used where they go into the part as they are.</param>
    public static PartProof Of(
        ChangedPart part, double? tolerance = null, IReadOnlyList<IReadOnlyDictionary<string, HostTensor>>? data = null)
    {
        var evaluator = new PartEvaluator(part.Before.Graph.Opset);
        var inputs = new PartInputs(part);
        string? failure = null;
        PartProof? shrunk = null;
        foreach (var (number, (candidate, isShrunk)) in inputs.Candidates().Index())
        {
            try
            {
                var proof = Compare(part, evaluator, candidate, tolerance);
                foreach (var set in proof.WhyNot is null ? data ?? [] : [])
                    if (inputs.From(set) is { } rows && Compare(part, evaluator, rows, tolerance) is { WhyNot: null } own)
                        proof = Worse(proof, own);
                if (proof.WhyNot is { } nothing) failure ??= nothing;
                else if (proof.IsWithin || !isShrunk) return proof;
                else shrunk = proof;
            }
            catch (NotSupportedException exception)
            {
                // The second has the sizes that the model declares, which are likeliest to be right.
                if (number < 2) failure = exception.Message;
            }
        }

        return shrunk ?? new PartProof(null, double.NaN, double.NaN, double.NaN, false, failure ?? "its declared inputs are too large");
    }

    /// <summary>The error as a clause.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Absolute:G3} absolute, {Relative:G3} of the scale of '{Output}', where the model as it was has {Before:G3}");

    private static PartProof Compare(
        ChangedPart part, PartEvaluator evaluator, IReadOnlyDictionary<string, PartTensor> inputs, double? tolerance)
    {
        var before = evaluator.Run(part.Before, inputs, part.Outputs);
        var after = evaluator.Run(part.After, inputs, part.Outputs);
        var worst = new PartProof(part.Outputs.Count > 0 ? part.Outputs[0] : string.Empty, 0, 0, 0, true, null);
        foreach (var output in part.Outputs.Where(output => before.ContainsKey(output) || after.ContainsKey(output)))
        {
            if (!before.TryGetValue(output, out var was) || !after.TryGetValue(output, out var now)
                || was.Type != now.Type || !was.Exact.Shape.AsSpan().SequenceEqual(now.Exact.Shape))
            {
                return new PartProof(output, double.PositiveInfinity, double.PositiveInfinity, 0, false, null);
            }

            // A comparison of nothing proves nothing, unless nothing is what the model declares.
            if (!was.Exact.Data.Any(double.IsFinite) || !was.Rounded.Data.Any(double.IsFinite))
            {
                if (was.Exact.Data.Length == 0 && inputs.Values.Any(input => input.Exact.Data.Length == 0)) continue;
                var why = was.Exact.Data.Length == 0
                    ? "has no elements on rows that are drawn"
                    : "is no finite number in the model's own type";
                return new PartProof(output, double.NaN, double.NaN, double.NaN, false, $"its output '{output}' {why}");
            }

            worst = Worse(worst, Judge(part, output, was, now, tolerance));
        }

        return worst;
    }

    private static PartProof Worse(PartProof one, PartProof other) =>
        one.IsWithin != other.IsWithin ? (one.IsWithin ? other : one) : other.Relative > one.Relative ? other : one;

    // Channel by channel: one that is small beside the others means as much to whoever reads it.
    private static PartProof Judge(ChangedPart part, string output, PartTensor was, PartTensor now, double? tolerance)
    {
        var isReal = TensorData.IsReal((int)was.Type);
        var (exact, shape) = (was.Exact.Data, was.Exact.Shape);
        // Behind products of three dimensions they lie on the last axis, everywhere else on the second.
        var isProduct = shape.Length == 3 && !part.Changed.Any(node => node.OpType.StartsWith("Conv", StringComparison.Ordinal));
        var axis = shape.Length < 2 ? -1 : isProduct ? 2 : 1;
        var (channels, inner) = axis < 0 ? (1, Math.Max(exact.Length, 1)) : (shape[axis], was.Exact.Product(axis + 1, shape.Length));
        var (scale, error, errorBefore) = (new double[channels], new double[channels], new double[channels]);
        for (var i = 0; i < exact.Length; i++)
        {
            var (e, w, n, x) = (exact[i], was.Rounded.Data[i], now.Rounded.Data[i], now.Exact.Data[i]);
            // What the model as it was makes infinite, or no number, says nothing of the fold.
            if (!double.IsFinite(e) || !double.IsFinite(w)) continue;
            var channel = i / inner % channels;
            scale[channel] = Math.Max(scale[channel], Math.Abs(e));
            errorBefore[channel] = Math.Max(errorBefore[channel], Math.Abs(w - e));
            error[channel] = Math.Max(error[channel], Math.Max(Distance(n, e), Distance(x, e)));
        }

        var allowed = isReal ? tolerance ?? DefaultTolerance(was.Type) : 0;
        var floor = isReal ? Negligible * LastDigit(was.Type) * scale.DefaultIfEmpty(0).Max() : 0;
        var worst = new PartProof(output, 0, 0, 0, true, null);
        for (var c = 0; c < channels; c++)
        {
            var relative = error[c] == 0 ? 0 : scale[c] > 0 ? error[c] / scale[c] : double.PositiveInfinity;
            var isWithin = error[c] <= Math.Max(Math.Max(allowed * scale[c], RoundingsAllowed * errorBefore[c]), floor);
            if (isWithin && error[c] <= floor) relative = scale.Max() > 0 ? error[c] / scale.Max() : 0;
            var before = scale[c] > 0 ? errorBefore[c] / scale[c] : 0;
            worst = Worse(worst, new PartProof(output, error[c], relative, before, isWithin, null));
        }

        return worst;
    }

    private static double Distance(double value, double exact) =>
        double.IsFinite(value) ? Math.Abs(value - exact) : double.PositiveInfinity;

    private static double LastDigit(DataType type) => type switch
    {
        DataType.Double => Math.ScaleB(1, -53),
        DataType.Float16 => Math.ScaleB(1, -11),
        DataType.Bfloat16 => Math.ScaleB(1, -8),
        _ => Math.ScaleB(1, -24),
    };
}
