namespace MlNetBatchNorm.Trainer;

/// <summary>Zero-mean random values whose variance follows from the fan-in and fan-out.</summary>
internal sealed record VarianceScalingInitializer(string Name, Func<double, double, double> Variance, bool Uniform) : Initializer
{
    public override string Text => Name;

    public override void Fill(Span<float> values, IReadOnlyList<long> shape, Random random)
    {
        // A matrix is [in, out]; a kernel is [out, in/groups, positions…].
        var positions = 1.0;
        for (var axis = 2; axis < shape.Count; axis++) positions *= shape[axis];
        var (fanIn, fanOut) = shape.Count <= 2
            ? ((double)shape[0], shape.Count == 2 ? shape[1] : shape[0])
            : (shape[1] * positions, shape[0] * positions);
        var deviation = Math.Sqrt(Variance(fanIn, fanOut));
        for (var i = 0; i < values.Length; i++)
            values[i] = (float)(deviation * (Uniform ? Math.Sqrt(3) * ((2 * random.NextDouble()) - 1) : NextGaussian(random)));
    }
}
