using MlNetBatchNorm.Trainer.Layers;

namespace MlNetBatchNorm.Trainer.Training;

/// <summary>
/// Shifts and scales each target to mean 0 and variance 1 over the training rows, and a network that learned such targets back to their
/// unit: with y = x·W + b in standard deviations, s·y + m = x·(W·s) + (b·s + m).
/// </summary>
internal sealed record TargetStandardization(float[] Mean, float[] StandardDeviation)
{
    /// <summary>Measures mean and standard deviation in float64, in two passes; a constant target is only shifted.</summary>
    public static TargetStandardization Fit(TrainingData rows)
    {
        var mean = new double[rows.Outputs];
        var variance = new double[rows.Outputs];
        for (var i = 0; i < rows.TargetArray.Length; i++) mean[i % rows.Outputs] += (double)rows.TargetArray[i] / rows.Count;
        for (var i = 0; i < rows.TargetArray.Length; i++)
        {
            var difference = rows.TargetArray[i] - mean[i % rows.Outputs];
            variance[i % rows.Outputs] += difference * difference / rows.Count;
        }

        return new TargetStandardization(
            Array.ConvertAll(mean, value => (float)value),
            [.. variance.Select((value, output) => IsConstant(output) ? 1 : (float)Math.Sqrt(value))]);

        bool IsConstant(int output)
        {
            for (var i = output; i < rows.TargetArray.Length; i += rows.Outputs)
                if (rows.TargetArray[i] != rows.TargetArray[output]) return false;
            return true;
        }
    }

    /// <summary>Logits divided by a temperature, as a standardization that is taken back.</summary>
    public static TargetStandardization OfTemperature(double temperature, int outputs) =>
        new(new float[outputs], [.. Enumerable.Repeat((float)(1 / temperature), outputs)]);

    /// <summary>Checks that a network ends with the layer that the scale is folded into.</summary>
    /// <exception cref="ArgumentException">It does not.</exception>
    public static void RequireDenseEnd(Network network)
    {
        if (network.SitesOfMembers is not [.., { Layer: DenseLayer or GroupedDenseLayer } last]
            || !last.Parameters.Any(parameter => parameter.Name == last.FullName("bias")))
            throw new ArgumentException(
                "Targets are standardized by scaling the last layer, which has to be a dense one with a bias; end the network with "
                + "Dense(…), or set StandardizeTargets to false.",
                nameof(network));
    }

    /// <summary>The rows with standardized targets.</summary>
    public TrainingData Apply(TrainingData rows)
    {
        var targets = new float[rows.TargetArray.Length];
        for (var i = 0; i < targets.Length; i++)
            targets[i] = (rows.TargetArray[i] - Mean[i % rows.Outputs]) / StandardDeviation[i % rows.Outputs];
        return rows.With(targets, rows.TargetOffset);
    }

    /// <summary>Brings predictions back to the target's unit, in place.</summary>
    public void Restore(Span<float> predictions)
    {
        for (var i = 0; i < predictions.Length; i++)
            predictions[i] = (predictions[i] * StandardDeviation[i % Mean.Length]) + Mean[i % Mean.Length];
    }

    /// <summary>The parameters of a network that gives its output in the target's unit.</summary>
    public IReadOnlyDictionary<string, float[]> Restore(Network network, IReadOnlyDictionary<string, float[]> parameters)
    {
        var last = network.SitesOfMembers[^1];
        var (weight, bias) = (last.FullName("weight"), last.FullName("bias"));
        var outputs = Mean.Length;
        return new Dictionary<string, float[]>(parameters, StringComparer.Ordinal)
        {
            // [in, out], row-major: the output is the remainder. Those of an ensemble's members stand side by side.
            [weight] = [.. parameters[weight].Select((value, i) => value * StandardDeviation[i % outputs])],
            [bias] = [.. parameters[bias].Select((value, i) => (value * StandardDeviation[i % outputs]) + Mean[i % outputs])],
        };
    }
}
