namespace MlNetBatchNorm.Trainer;

/// <summary>The first values of a parameter. For weights, fan-in and fan-out are the inputs and outputs that one output or input is joined to.</summary>
public abstract record Initializer
{
    /// <summary>All zero.</summary>
    public static Initializer Zeros { get; } = new ConstantInitializer(0);

    /// <summary>All one.</summary>
    public static Initializer Ones { get; } = new ConstantInitializer(1);

    /// <summary>The initializer as <see cref="Parse"/> reads it.</summary>
    public abstract string Text { get; }

    /// <summary>Gaussian (the paper's own) with variance 2/fan-in, for relu kinds (He et al. 2015, arXiv 1502.01852, section 2.2).</summary>
    public static Initializer He { get; } = new VarianceScalingInitializer("he", (fanIn, _) => 2.0 / fanIn, Uniform: false);

    /// <summary>Uniform between ±√(6/fan-in), which has the variance of <see cref="He"/>.</summary>
    public static Initializer HeUniform { get; } = new VarianceScalingInitializer("heuniform", (fanIn, _) => 2.0 / fanIn, Uniform: true);

    /// <summary>Uniform (the paper's own) between ±√(6/(fan-in + fan-out)), so with variance 2/(fan-in + fan-out) (Glorot and Bengio 2010, section 4.2.1).</summary>
    public static Initializer Glorot { get; } = new VarianceScalingInitializer("glorot", (fanIn, fanOut) => 2.0 / (fanIn + fanOut), Uniform: true);

    /// <summary>Gaussian with the variance of <see cref="Glorot"/>.</summary>
    public static Initializer GlorotNormal { get; } =
        new VarianceScalingInitializer("glorotnormal", (fanIn, fanOut) => 2.0 / (fanIn + fanOut), Uniform: false);

    /// <summary>Gaussian with mean 0 and a given standard deviation, whatever the shape.</summary>
    /// <param name="standardDeviation">Above 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is not a finite number above 0.</exception>
    public static Initializer Gaussian(float standardDeviation) => standardDeviation is > 0 and < float.PositiveInfinity
        ? new VarianceScalingInitializer(Choice.Write("gaussian", standardDeviation), (_, _) => (double)standardDeviation * standardDeviation, Uniform: false)
        : throw new ArgumentOutOfRangeException(nameof(standardDeviation), standardDeviation, "The standard deviation of first weights is a finite number above 0.");

    /// <summary>
    /// A random matrix with orthonormal rows or columns, whichever are fewer, times a gain (Saxe, McClelland and Ganguli 2014, arXiv 1312.6120).
    /// A kernel <c>[out, in, …]</c> is taken as the matrix <c>[out, in·…]</c>.
    /// </summary>
    /// <param name="gain">Above 0. Default: 1; √2 in front of a relu.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is not a finite number above 0.</exception>
    public static Initializer Orthogonal(float gain = 1) => gain is > 0 and < float.PositiveInfinity
        ? new OrthogonalInitializer(gain)
        : throw new ArgumentOutOfRangeException(nameof(gain), gain, "The gain of first weights is a finite number above 0.");

    /// <summary>Reads a name, in any case: he, heuniform, glorot, glorotnormal, gaussian:DEVIATION, orthogonal, orthogonal:GAIN, zeros or ones.</summary>
    /// <exception cref="FormatException">Another name.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public static Initializer Parse(string text) => Choice.Read(text) switch
    {
        ("he", []) => He,
        ("heuniform", []) => HeUniform,
        ("glorot", []) => Glorot,
        ("glorotnormal", []) => GlorotNormal,
        ("gaussian", [var deviation]) => Gaussian((float)deviation),
        ("orthogonal", []) => Orthogonal(),
        ("orthogonal", [var gain]) => Orthogonal((float)gain),
        ("zeros", []) => Zeros,
        ("ones", []) => Ones,
        var other => throw other.Unknown("an initializer", "he, heuniform, glorot, glorotnormal, gaussian:DEVIATION, orthogonal[:GAIN], zeros or ones"),
    };

    /// <summary>Fills a parameter.</summary>
    /// <param name="values">The values to set, row-major in <paramref name="shape"/>.</param>
    /// <param name="shape">The shape: <c>[in, out]</c> for dense weights, <c>[out, in, …]</c> for kernels.</param>
    /// <param name="random">The source of randomness.</param>
    public abstract void Fill(Span<float> values, IReadOnlyList<long> shape, Random random);

    /// <summary>A Gaussian number with mean 0 and variance 1 (Box and Muller 1958).</summary>
    private protected static double NextGaussian(Random random) =>
        // 1 − u keeps the logarithm finite.
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
