using MlNetBatchNorm.Trainer.Layers;

namespace MlNetBatchNorm.Trainer.Tests.Layers;

/// <summary>Batch normalization in float64, one channel of one slice at a time, straight from Algorithm 1 of the paper.</summary>
internal static class BatchNormEquations
{
    public static double[] Train(
        double[] x, SampleShape shape, BatchNormLayer layer, IReadOnlyDictionary<string, double[]> parameters, int[]? sliceOfRow = null)
    {
        var y = new double[x.Length];
        var rows = x.Length / (int)shape.Count;
        sliceOfRow ??= new int[rows];
        for (var channel = 0; channel < shape.Channels; channel++)
            for (var slice = 0; slice <= sliceOfRow.Max(); slice++)
            {
                var indexes = Indexes(shape, rows, channel).Where(index => sliceOfRow[index / (int)shape.Count] == slice).ToArray();
                var mean = indexes.Average(index => x[index]);
                var variance = indexes.Average(index => Math.Pow(x[index] - mean, 2));
                foreach (var index in indexes)
                    y[index] = Affine((x[index] - mean) / Math.Sqrt(variance + layer.Epsilon), parameters, channel);
            }

        return y;
    }

    public static double[] Infer(double[] x, SampleShape shape, BatchNormLayer layer, IReadOnlyDictionary<string, double[]> parameters)
    {
        var y = new double[x.Length];
        for (var i = 0; i < x.Length; i++)
        {
            var channel = i / (int)shape.Positions % (int)shape.Channels;
            y[i] = Affine(
                (x[i] - parameters["mean"][channel]) / Math.Sqrt(parameters["variance"][channel] + layer.Epsilon), parameters, channel);
        }

        return y;
    }

    public static IEnumerable<int> Indexes(SampleShape shape, int rows, int channel) =>
        from row in Enumerable.Range(0, rows)
        from position in Enumerable.Range(0, (int)shape.Positions)
        select (((row * (int)shape.Channels) + channel) * (int)shape.Positions) + position;

    private static double Affine(double normalized, IReadOnlyDictionary<string, double[]> parameters, int channel) =>
        (normalized * (parameters.TryGetValue("gamma", out var gamma) ? gamma[channel] : 1))
        + (parameters.TryGetValue("beta", out var beta) ? beta[channel] : 0);
}
