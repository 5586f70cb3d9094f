namespace MlNetBatchNorm.Trainer;

/// <summary>The first values of a parameter. For weights, fan-in and fan-out are the inputs and outputs that one output or input is joined to.</summary>
public abstract record Initializer
{
    /// <summary>All zero.</summary>
    public static Initializer Zeros { get; } = new ConstantInitializer(0);

    /// <summary>All one.</summary>
    public static Initializer Ones { get; } = new ConstantInitializer(1);

    /// <summary>Gaussian with variance 2/fan-in, for relu kinds (He et al. 2015, arXiv 1502.01852, section 2.2).</summary>
    public static Initializer He { get; } = new VarianceScalingInitializer("he", (fanIn, _) => 2.0 / fanIn, Uniform: false);

    /// <summary>Uniform with variance 2/(fan-in + fan-out) (Glorot and Bengio 2010, section 4.2.1).</summary>
    public static Initializer Glorot { get; } = new VarianceScalingInitializer("glorot", (fanIn, fanOut) => 2.0 / (fanIn + fanOut), Uniform: true);

    /// <summary>Fills a parameter.</summary>
    /// <param name="values">The values to set, row-major in <paramref name="shape"/>.</param>
    /// <param name="shape">The shape: <c>[in, out]</c> for dense weights, <c>[out, in, …]</c> for kernels.</param>
    /// <param name="random">The source of randomness.</param>
    public abstract void Fill(Span<float> values, IReadOnlyList<long> shape, Random random);
}
