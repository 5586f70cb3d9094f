using System.Numerics.Tensors;

namespace MlNetBatchNorm.Trainer.Learning;

/// <summary>
/// The number that a network's logits are divided by so that its probabilities are as sure as they are right (Guo et al. 2017, arXiv
/// 1706.04599, section 4.2): the one with the smallest cross-entropy on rows that were not learned from.
/// </summary>
internal static class Temperature
{
    private const double Lowest = 0.2, Highest = 8;
    private const int MostSteps = 30;

    /// <summary>Finds the temperature, and the cross-entropy with it.</summary>
    /// <param name="logits">The logits, <c>[N, K]</c>; with K = 1 of a sigmoid, otherwise of a softmax.</param>
    /// <param name="rows">The targets and weights.</param>
    /// <returns>The temperature, from 0.2 to 8, and the weighted mean of the rows' cross-entropies.</returns>
    /// <remarks>
    /// With β = 1/T the cross-entropy is convex in β: Newton's steps, halved back into the interval that still holds the minimum.
    /// </remarks>
    public static (double Temperature, double Loss) Fit(float[] logits, TrainingData rows)
    {
        var (low, high) = (1 / Highest, 1 / Lowest);
        var beta = 1.0;
        var at = Measure(logits, rows, beta);
        for (var step = 0; step < MostSteps; step++)
        {
            if (at.Slope > 0) high = beta;
            else low = beta;
            var next = at.Curvature > 0 ? beta - (at.Slope / at.Curvature) : double.NaN;
            if (!(next > low && next < high))
                next = at.Slope > 0 && beta <= 1 / Highest ? beta : at.Slope < 0 && beta >= 1 / Lowest ? beta : (low + high) / 2;
            if (Math.Abs(next - beta) < 1e-6 * beta) break;
            beta = next;
            at = Measure(logits, rows, beta);
        }

        return (1 / beta, at.Loss);
    }

    /// <summary>Makes probabilities of logits, in place.</summary>
    public static void ToProbabilities(Span<float> logits, int outputs, double temperature)
    {
        TensorPrimitives.Divide(logits, (float)temperature, logits);
        if (outputs == 1) TensorPrimitives.Sigmoid(logits, logits);
        else
            for (var first = 0; first < logits.Length; first += outputs)
                TensorPrimitives.SoftMax(logits.Slice(first, outputs), logits.Slice(first, outputs));
    }

    // The loss L(β) = Σ w·(log Σ exp(βz) − β·t·z) / Σ w, with its first and second derivative: E[z] − t·z and Var[z].
    private static (double Loss, double Slope, double Curvature) Measure(float[] logits, TrainingData rows, double beta)
    {
        double loss = 0, slope = 0, curvature = 0, total = 0;
        var outputs = rows.Outputs;
        Span<double> powers = outputs <= 256 ? stackalloc double[outputs] : new double[outputs];
        for (var row = 0; row < rows.Count; row++)
        {
            var weight = rows.WeightArray is null ? 1.0 : rows.WeightArray[row];
            total += weight;
            double logSum, mean, variance, hit = 0;
            if (outputs == 1)
            {
                double z = logits[row], t = rows.TargetArray[row];
                var probability = 1 / (1 + Math.Exp(-beta * z));
                logSum = Math.Max(beta * z, 0) + double.LogP1(Math.Exp(-Math.Abs(beta * z)));
                (mean, variance, hit) = (probability * z, probability * (1 - probability) * z * z, t * z);
            }
            else
            {
                var z = logits.AsSpan(row * outputs, outputs);
                var target = rows.Target(row);
                var (largest, sum, first, second) = ((double)TensorPrimitives.Max(z), 0.0, 0.0, 0.0);
                for (var k = 0; k < outputs; k++)
                {
                    powers[k] = Math.Exp(beta * (z[k] - largest));
                    sum += powers[k];
                    first += powers[k] * z[k];
                    second += powers[k] * z[k] * z[k];
                    hit += target[k] * z[k];
                }

                logSum = (beta * largest) + Math.Log(sum);
                mean = first / sum;
                variance = (second / sum) - (mean * mean);
            }

            loss += weight * (logSum - (beta * hit));
            slope += weight * (mean - hit);
            curvature += weight * variance;
        }

        return total > 0 ? (loss / total, slope / total, curvature / total) : (double.NaN, 0, 0);
    }
}
