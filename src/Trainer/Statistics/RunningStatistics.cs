namespace MlNetBatchNorm.Trainer;

/// <summary>
/// How the running mean and variance follow the batches'. Every rule has the form <c>r ← r + rate(t)·(b − r)</c>, with b the batch's value and t
/// the number of the step, from 1; the rules differ in the rate and in which variance they average.
/// </summary>
public sealed record RunningStatistics
{
    private readonly Func<long, double> _rate;

    private RunningStatistics(string description, bool unbiasedVariance, Func<long, double> rate, bool isPopulation = false)
    {
        IsPopulation = isPopulation;
        Description = description;
        UnbiasedVariance = unbiasedVariance;
        _rate = rate;
    }

    /// <summary>The rule in words, as it is written to the exported model's metadata.</summary>
    public string Description { get; }

    /// <summary>Whether the variance that is averaged is Σ(x−μ)²/(m−1) (PyTorch) rather than Σ(x−μ)²/m (Keras).</summary>
    public bool UnbiasedVariance { get; }

    /// <summary>
    /// Whether the running values are replaced, after each epoch that is measured and after the last one, by those of one more pass over the
    /// training rows with frozen weights.
    /// </summary>
    public bool IsPopulation { get; }

    /// <summary>
    /// As PyTorch: <c>r ← (1−momentum)·r + momentum·b</c>, with the unbiased variance. Here the momentum is the weight of the <b>new</b> value.
    /// </summary>
    /// <param name="momentum">Above 0, at most 1. Default: 0.1.</param>
    public static RunningStatistics PyTorch(float momentum = 0.1f)
    {
        if (momentum is not (> 0 and <= 1))
            throw new ArgumentOutOfRangeException(
                nameof(momentum), momentum, "PyTorch's momentum is the weight of the new value: above 0, at most 1 (default 0.1). At 0 nothing is ever learned.");
        return new RunningStatistics(FormattableString.Invariant($"exponential, PyTorch momentum {momentum}"), true, _ => momentum);
    }

    /// <summary>
    /// As Keras: <c>r ← momentum·r + (1−momentum)·b</c>, with the biased variance. Here the momentum is the weight of the <b>old</b> value.
    /// </summary>
    /// <param name="momentum">From 0 to below 1. Default: 0.99.</param>
    public static RunningStatistics Keras(float momentum = 0.99f)
    {
        if (momentum is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(
                nameof(momentum), momentum, "Keras's momentum is the weight of the old value: from 0 to below 1 (default 0.99). At 1 nothing is ever learned.");
        return new RunningStatistics(FormattableString.Invariant($"exponential, Keras momentum {momentum}"), false, _ => 1 - (double)momentum);
    }

    /// <summary>
    /// The exponential average without its start: PyTorch's rule divided by 1 − (1−momentum)^t, so that the first values of the statistics
    /// (0 and 1) count for nothing (TensorFlow's <c>zero_debias_moving_mean</c>). With the unbiased variance.
    /// </summary>
    /// <param name="momentum">The weight of the <b>new</b> value in the long run, above 0, at most 1. Default: 0.1.</param>
    /// <remarks>
    /// d ← (1−p)·d + p·b from 0 and r = d/(1−(1−p)^t) give r ← r + p/(1−(1−p)^t)·(b − r): the same form, with a rate that starts at 1.
    /// </remarks>
    public static RunningStatistics ZeroDebiased(float momentum = 0.1f)
    {
        if (momentum is not (> 0 and <= 1))
            throw new ArgumentOutOfRangeException(
                nameof(momentum), momentum, "The momentum of the zero-debiased average is the weight of the new value: above 0, at most 1 (default 0.1).");
        return new RunningStatistics(
            FormattableString.Invariant($"zero-debiased exponential, momentum {momentum} of the new value"), true, step => momentum / (1 - Math.Pow(1 - (double)momentum, step)));
    }

    /// <summary>The plain mean over all batches seen, with the unbiased variance (PyTorch's <c>momentum=None</c>): rate 1/t.</summary>
    /// <remarks>Batches of the first steps, under weights long gone, count as much as the last ones: fit for short or slow trainings.</remarks>
    public static RunningStatistics Cumulative() => new("cumulative mean over all batches", true, step => 1.0 / step);

    /// <summary>
    /// The statistics of the training rows themselves: E is the mean of μ over mini-batches, Var m/(m−1) times the mean of σ², measured with
    /// frozen weights (Ioffe and Szegedy 2015, Algorithm 2, steps 8 to 10). Costs one more forward pass for each epoch with validation, and
    /// one at the end; in between PyTorch's rule with momentum 0.1 runs on.
    /// </summary>
    public static RunningStatistics Population() => new("population, with frozen weights after training", true, _ => 0.1, isPopulation: true);

    /// <summary>Reads a name, in any case: pytorch, keras, debiased, each perhaps with its momentum (keras:0.99), cumulative or population.</summary>
    /// <exception cref="FormatException">Another name.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The momentum is out of its range.</exception>
    public static RunningStatistics Parse(string text) => Choice.Read(text) switch
    {
        ("pytorch", []) => PyTorch(),
        ("pytorch", [var momentum]) => PyTorch((float)momentum),
        ("keras", []) => Keras(),
        ("keras", [var momentum]) => Keras((float)momentum),
        ("debiased", []) => ZeroDebiased(),
        ("debiased", [var momentum]) => ZeroDebiased((float)momentum),
        ("cumulative", []) => Cumulative(),
        ("population", []) => Population(),
        var other => throw other.Unknown("a rule for statistics", "pytorch[:MOMENTUM], keras[:MOMENTUM], debiased[:MOMENTUM], cumulative or population"),
    };

    /// <summary>The weight of step <paramref name="step"/>'s batch.</summary>
    /// <param name="step">From 1.</param>
    public float Rate(long step) => (float)_rate(step);
}
