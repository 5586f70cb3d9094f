using System.Diagnostics.CodeAnalysis;
using System.Numerics.Tensors;
using MlNetBatchNorm.Trainer.Text;

namespace MlNetBatchNorm;

/// <summary>
/// The first values of a parameter. For weights, fan-in and fan-out are the inputs and outputs that one output or input is joined to.
/// </summary>
public abstract record Initializer
{
    private protected Initializer()
    {
    }

    /// <summary>All zero.</summary>
    public static Initializer Zeros { get; } = new ConstantInitializer(0);

    /// <summary>All one.</summary>
    public static Initializer Ones { get; } = new ConstantInitializer(1);

    /// <summary>
    /// Gaussian (the paper's own) with variance 2/fan-in, for relu kinds (He et al. 2015, arXiv 1502.01852, section 2.2).
    /// </summary>
    public static Initializer HeNormal { get; } = new VarianceScalingInitializer("henormal", (fanIn, _) => 2.0 / fanIn, Uniform: false);

    /// <summary>Uniform between ±√(6/fan-in), which has the variance of <see cref="HeNormal"/>.</summary>
    public static Initializer HeUniform { get; } = new VarianceScalingInitializer("heuniform", (fanIn, _) => 2.0 / fanIn, Uniform: true);

    /// <summary>
    /// Uniform (the paper's own) between ±√(6/(fan-in + fan-out)), so with variance 2/(fan-in + fan-out) (Glorot and Bengio 2010, section
    /// 4.2.1).
    /// </summary>
    public static Initializer GlorotUniform { get; } = new VarianceScalingInitializer(
        "glorotuniform", (fanIn, fanOut) => 2.0 / (fanIn + fanOut), Uniform: true);

    /// <summary>Gaussian with the variance of <see cref="GlorotUniform"/>.</summary>
    public static Initializer GlorotNormal { get; } =
        new VarianceScalingInitializer("glorotnormal", (fanIn, fanOut) => 2.0 / (fanIn + fanOut), Uniform: false);

    /// <summary>Gaussian with mean 0 and a given standard deviation, whatever the shape.</summary>
    /// <param name="standardDeviation">Above 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is not a finite number above 0.</exception>
    public static Initializer Normal(float standardDeviation) => standardDeviation is > 0 and < float.PositiveInfinity
        ? new VarianceScalingInitializer(
            Choice.Write("normal", standardDeviation), (_, _) => (double)standardDeviation * standardDeviation, Uniform: false)
        : throw new ArgumentOutOfRangeException(
            nameof(standardDeviation), standardDeviation, "The standard deviation of first weights is a finite number above 0.");

    /// <summary>
    /// A random matrix with orthonormal rows or columns, whichever are fewer, times a gain (Saxe, McClelland and Ganguli 2014, arXiv
    /// 1312.6120). A kernel <c>[out, in, …]</c> is taken as the matrix <c>[out, in·…]</c>.
    /// </summary>
    /// <param name="gain">Above 0. Default: 1; √2 in front of a relu.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is not a finite number above 0.</exception>
    public static Initializer Orthogonal(float gain = 1) => gain is > 0 and < float.PositiveInfinity
        ? new OrthogonalInitializer(gain)
        : throw new ArgumentOutOfRangeException(nameof(gain), gain, "The gain of first weights is a finite number above 0.");

    /// <summary>First values of your own.</summary>
    /// <param name="name">
    /// What they are called: one word, as it stands in the text of a network (which cannot be read back with it).
    /// </param>
    /// <param name="fill">
    /// Sets every value, given the values (row-major), their shape (<c>[in, out]</c> for dense weights, <c>[out, in, …]</c> for kernels)
    /// and the source of randomness, which follows from the seed of the training.
    /// </param>
    /// <exception cref="ArgumentException">The name is not one word.</exception>
    public static Initializer Custom(string name, Action<float[], IReadOnlyList<long>, Random> fill)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(fill);
        if (name.Any(c => char.IsWhiteSpace(c) || c is ';' or '#'))
            throw new ArgumentException($"'{name}' is not the name of an initializer; take one word without ';' and '#'.", nameof(name));
        return new CustomInitializer(name, fill);
    }

    /// <summary>
    /// Reads a name as <see cref="ToString"/> writes it, in any case: henormal (or he), heuniform, glorotuniform (or glorot), glorotnormal,
    /// normal:DEVIATION, orthogonal, orthogonal:GAIN, zeros or ones.
    /// </summary>
    /// <exception cref="FormatException">Another name.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public static Initializer Parse(string text) => Choice.Read(text) switch
    {
        ("he" or "henormal", []) => HeNormal,
        ("heuniform", []) => HeUniform,
        ("glorot" or "glorotuniform", []) => GlorotUniform,
        ("glorotnormal", []) => GlorotNormal,
        ("normal", [var deviation]) => Normal((float)deviation),
        ("orthogonal", []) => Orthogonal(),
        ("orthogonal", [var gain]) => Orthogonal((float)gain),
        ("zeros", []) => Zeros,
        ("ones", []) => Ones,
        var other => throw other.Unknown(
            "an initializer", "he, heuniform, glorot, glorotnormal, normal:DEVIATION, orthogonal[:GAIN], zeros or ones"),
    };

    /// <summary>Reads a text as <see cref="Parse"/> does, without an exception.</summary>
    /// <param name="text">The text; null is none.</param>
    /// <param name="result">What it says; null when it could not be read.</param>
    /// <returns>Whether it could be read.</returns>
    public static bool TryParse(string? text, [NotNullWhen(true)] out Initializer? result) => Choice.TryParse(Parse, text, out result);

    /// <summary>The initializer as <see cref="Parse"/> reads it: <c>normal:0.01</c>.</summary>
    public sealed override string ToString() => Text;

    private protected abstract string Text { get; }

    /// <summary>Fills a parameter.</summary>
    /// <param name="values">The values to set, row-major in <paramref name="shape"/>.</param>
    /// <param name="shape">The shape: <c>[in, out]</c> for dense weights, <c>[out, in, …]</c> for kernels.</param>
    /// <param name="random">The source of randomness.</param>
    internal abstract void Fill(Span<float> values, IReadOnlyList<long> shape, Random random);

    /// <summary>The same for each of several parameters that lie one behind the other: of <c>[groups, …]</c> each <c>[…]</c>.</summary>
    internal Initializer ForEachOf(int groups) => new GroupedInitializer(groups, this);

    /// <summary>A Gaussian number with mean 0 and variance 1 (Box and Muller 1958).</summary>
    private protected static double NextGaussian(Random random) =>
        // 1 − u keeps the logarithm finite.
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    /// <summary>One value everywhere.</summary>
    private sealed record ConstantInitializer(float Value) : Initializer
    {
        private protected override string Text => Value == 0 ? "zeros" : "ones";

        internal override void Fill(Span<float> values, IReadOnlyList<long> shape, Random random) => values.Fill(Value);
    }

    /// <summary>Zero-mean random values whose variance follows from the fan-in and fan-out.</summary>
    private sealed record VarianceScalingInitializer(string Name, Func<double, double, double> Variance, bool Uniform) : Initializer
    {
        private protected override string Text => Name;

        internal override void Fill(Span<float> values, IReadOnlyList<long> shape, Random random)
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

    /// <summary>
    /// Gaussian vectors made orthonormal one after the other (Gram and Schmidt). That is the Q of a QR decomposition whose R has a positive
    /// diagonal, so every orthogonal matrix is as likely as every other.
    /// </summary>
    private sealed record OrthogonalInitializer(float Gain) : Initializer
    {
        private protected override string Text => Choice.Write("orthogonal", Gain);

        internal override void Fill(Span<float> values, IReadOnlyList<long> shape, Random random)
        {
            var rows = checked((int)shape[0]);
            var columns = values.Length / rows;
            var (count, length) = (Math.Min(rows, columns), Math.Max(rows, columns));
            var vectors = new double[count][];
            for (var i = 0; i < count; i++)
            {
                var vector = vectors[i] = new double[length];
                for (var j = 0; j < length; j++) vector[j] = NextGaussian(random);
                // Twice: what rounding leaves of the earlier vectors after the first time is gone after the second.
                for (var pass = 0; pass < 2; pass++)
                    for (var earlier = 0; earlier < i; earlier++)
                        TensorPrimitives.MultiplyAdd<double>(
                            vectors[earlier], -TensorPrimitives.Dot<double>(vector, vectors[earlier]), vector, vector);
                TensorPrimitives.Divide<double>(vector, TensorPrimitives.Norm<double>(vector), vector);
            }

            for (var row = 0; row < rows; row++)
                for (var column = 0; column < columns; column++)
                    values[(row * columns) + column] = (float)(Gain * (rows <= columns ? vectors[row][column] : vectors[column][row]));
        }
    }

    private sealed record GroupedInitializer(int Groups, Initializer Each) : Initializer
    {
        private protected override string Text => Each.Text;

        internal override void Fill(Span<float> values, IReadOnlyList<long> shape, Random random)
        {
            var size = values.Length / Groups;
            long[] one = [.. shape.Skip(1)];
            for (var group = 0; group < Groups; group++) Each.Fill(values.Slice(group * size, size), one, random);
        }
    }

    private sealed record CustomInitializer(string Name, Action<float[], IReadOnlyList<long>, Random> Values) : Initializer
    {
        private protected override string Text => Name;

        internal override void Fill(Span<float> values, IReadOnlyList<long> shape, Random random)
        {
            var own = new float[values.Length]; // An Action takes no span before .NET 9.
            Values(own, shape, random);
            own.CopyTo(values);
        }
    }
}
