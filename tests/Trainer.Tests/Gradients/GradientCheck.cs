using MlNetBatchNorm.Trainer.Graphs;

namespace MlNetBatchNorm.Trainer.Tests.Gradients;

/// <summary>
/// The referee of every layer: a forward pass in float64, written as plain loops in the test, and central differences on it. The layer's
/// float32 outputs and gradients must agree with both. The loss is Σ y·dy with a random dy, so its derivatives are those that backward
/// gives.
/// </summary>
internal static class GradientCheck
{
    private const double Step = 1e-5;

    /// <summary>Compares a layer with its equations.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="input">The shape of a row.</param>
    /// <param name="rows">Rows in the batch.</param>
    /// <param name="seed">Of the random inputs, parameters and dy.</param>
    /// <param name="reference">The layer's equations in training: from x <c>[N, …]</c> and the parameters to y.</param>
    /// <param name="inference">The equations at inference, where they differ from those in training; null where they do not.</param>
    public static void Holds(
        Layer layer,
        SampleShape input,
        int rows,
        int seed,
        Func<double[], IReadOnlyDictionary<string, double[]>, double[]> reference,
        Func<double[], IReadOnlyDictionary<string, double[]>, double[]>? inference = null)
    {
        using var probe = new LayerProbe(layer, input);
        var random = new Random(seed);
        var x = Values(random, rows * (int)probe.Input.Count);
        var dy = Values(random, rows * (int)probe.Output.Count);
        var parameters = probe.Parameters.ToDictionary(
            parameter => Local(parameter.Name),
            parameter => parameter.Name.EndsWith("variance", StringComparison.Ordinal)
                ? Array.ConvertAll(Values(random, parameter.Count), value => (value * value) + 0.5f)
                : Values(random, parameter.Count));
        var byFullName = probe.Parameters.ToDictionary(parameter => parameter.Name, parameter => parameters[Local(parameter.Name)]);
        var exact = parameters.ToDictionary(pair => pair.Key, pair => Array.ConvertAll(pair.Value, value => (double)value));
        var exactX = Array.ConvertAll(x, value => (double)value);

        var actual = probe.Train(rows, x, dy, byFullName);
        Close("y", reference(exactX, exact), actual["y"], 1e-4);
        Close("dx", Differences(exactX, () => Loss()), actual["dx"], 1e-3);
        foreach (var (name, gradient) in actual.Where(output => output.Key.StartsWith("d.", StringComparison.Ordinal)))
            Close(name, Differences(exact[Local(name[2..])], () => Loss()), gradient, 1e-3);
        foreach (var opset in new[] { 9, 13, 17, 21 })
            Close($"y at inference, opset {opset}", (inference ?? reference)(exactX, exact), probe.Infer(rows, x, byFullName, opset), 1e-4);

        double Loss() => reference(exactX, exact).Zip(dy, (value, slope) => value * slope).Sum();
    }

    /// <summary>Fails unless two arrays agree to a tolerance in units of the expected array's largest value (at least 1).</summary>
    public static void Close(string what, IReadOnlyList<double> expected, IReadOnlyList<float> actual, double tolerance)
    {
        Assert.True(expected.Count == actual.Count, $"{what}: {expected.Count} values expected, {actual.Count} came");
        if (expected.Count == 0) return;
        var scale = Math.Max(1, expected.Max(Math.Abs));
        for (var i = 0; i < expected.Count; i++)
            Assert.True(
                Math.Abs(expected[i] - actual[i]) <= tolerance * scale,
                $"{what}[{i}] is {actual[i]:R}, expected {expected[i]:R} (tolerance {tolerance * scale:E1})");
    }

    /// <summary>Random numbers about 0 with deviation 1.</summary>
    public static float[] Values(Random random, int count)
    {
        var values = new float[count];
        for (var i = 0; i < count; i++)
            values[i] = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        return values;
    }

    private static double[] Differences(double[] at, Func<double> loss)
    {
        var gradient = new double[at.Length];
        for (var i = 0; i < at.Length; i++)
        {
            var value = at[i];
            at[i] = value + Step;
            var above = loss();
            at[i] = value - Step;
            var below = loss();
            at[i] = value;
            gradient[i] = (above - below) / (2 * Step);
        }

        return gradient;
    }

    private static string Local(string name) => name[(name.IndexOfAny(['.', '/']) + 1)..];
}
