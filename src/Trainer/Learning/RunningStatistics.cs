using System.Diagnostics.CodeAnalysis;
using MlNetBatchNorm.Trainer.Text;

namespace MlNetBatchNorm;

/// <summary>
/// How the running mean and variance follow the batches'. Every rule has the form <c>r ← r + rate(t)·(b − r)</c>, with b the batch's value
/// and t the number of the step, from 1; the rules differ in the rate and in which variance they average.
/// </summary>
public sealed record RunningStatistics
{
    private readonly Func<long, double> _rate;
    private readonly string _text;

    private RunningStatistics(string text, string description, bool unbiasedVariance, Func<long, double> rate, bool isPopulation = false)
    {
        _text = text;
        IsPopulation = isPopulation;
        Description = description;
        UnbiasedVariance = unbiasedVariance;
        _rate = rate;
    }

    /// <summary>The rule in words, as it is written to the exported model's metadata.</summary>
    internal string Description { get; }

    /// <summary>Whether the variance that is averaged is Σ(x−μ)²/(m−1) (PyTorch) rather than Σ(x−μ)²/m (Keras).</summary>
    internal bool UnbiasedVariance { get; }

    /// <summary>
    /// Whether the running values are replaced, after each epoch that is measured and after the last one, by those of one more pass over
    /// the training rows with frozen weights.
    /// </summary>
    internal bool IsPopulation { get; }

    /// <summary>
    /// As PyTorch: <c>r ← (1−momentum)·r + momentum·b</c>, with the unbiased variance. Here the momentum is the weight of the <b>new</b>
    /// value.
    /// </summary>
    /// <param name="momentum">Above 0, at most 1. Default: 0.1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The momentum is out of its range.</exception>
    public static RunningStatistics PyTorch(float momentum = 0.1f)
    {
        if (momentum is not (> 0 and <= 1))
            throw new ArgumentOutOfRangeException(
                nameof(momentum),
                momentum,
                "PyTorch's momentum is the weight of the new value: above 0, at most 1 (default 0.1). At 0 nothing is ever learned.");
        return new RunningStatistics(
            Choice.Write("pytorch", momentum),
            FormattableString.Invariant($"exponential, PyTorch momentum {momentum}"),
            unbiasedVariance: true,
            _ => momentum);
    }

    /// <summary>
    /// As Keras: <c>r ← momentum·r + (1−momentum)·b</c>, with the biased variance. Here the momentum is the weight of the <b>old</b> value.
    /// </summary>
    /// <param name="momentum">From 0 to below 1. Default: 0.99.</param>
    /// <exception cref="ArgumentOutOfRangeException">The momentum is out of its range.</exception>
    public static RunningStatistics Keras(float momentum = 0.99f)
    {
        if (momentum is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(
                nameof(momentum),
                momentum,
                "Keras's momentum is the weight of the old value: from 0 to below 1 (default 0.99). At 1 nothing is ever learned.");
        return new RunningStatistics(
            Choice.Write("keras", momentum),
            FormattableString.Invariant($"exponential, Keras momentum {momentum}"),
            unbiasedVariance: false,
            _ => 1 - (double)momentum);
    }

    /// <summary>
    /// The exponential average by its own numbers: <c>r ← (1−newShare)·r + newShare·b</c>. PyTorch's rule is
    /// <c>MovingAverage(momentum)</c>, Keras's <c>MovingAverage(1 − momentum, unbiased: false)</c>.
    /// </summary>
    /// <param name="newShare">The weight of the new value in the long run, above 0, at most 1. Default: 0.1.</param>
    /// <param name="unbiased">Whether the variance that is averaged is Σ(x−μ)²/(m−1) (the default) rather than Σ(x−μ)²/m.</param>
    /// <param name="correctStart">
    /// Whether the average is divided by 1 − (1−newShare)^t, so that the first values of the statistics (0 and 1) count for nothing
    /// (TensorFlow's <c>zero_debias_moving_mean</c>). Default: false.
    /// </param>
    /// <remarks>
    /// d ← (1−p)·d + p·b from 0 and r = d/(1−(1−p)^t) give r ← r + p/(1−(1−p)^t)·(b − r): the same form, with a rate that starts at 1.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The share is out of its range.</exception>
    public static RunningStatistics MovingAverage(float newShare = 0.1f, bool unbiased = true, bool correctStart = false)
    {
        if (newShare is not (> 0 and <= 1))
            throw new ArgumentOutOfRangeException(
                nameof(newShare), newShare, "The weight of the new value in a moving average is above 0 and at most 1 (default 0.1).");
        var text = Choice.Write($"{(unbiased ? string.Empty : "biased-")}{(correctStart ? "debiased" : "average")}", newShare);
        var variance = unbiased ? string.Empty : ", biased variance";
        return correctStart
            ? new RunningStatistics(
                text,
                FormattableString.Invariant($"zero-debiased exponential, momentum {newShare} of the new value{variance}"),
                unbiased,
                step => newShare / (1 - Math.Pow(1 - (double)newShare, step)))
            : new RunningStatistics(
                text, FormattableString.Invariant($"exponential, {newShare} of the new value{variance}"), unbiased, _ => newShare);
    }

    /// <summary>The plain mean over all batches seen, with the unbiased variance (PyTorch's <c>momentum=None</c>): rate 1/t.</summary>
    /// <remarks>
    /// Batches of the first steps, under weights long gone, count as much as the last ones: fit for short or slow trainings.
    /// </remarks>
    public static RunningStatistics Cumulative { get; } = new("cumulative", "cumulative mean over all batches", true, step => 1.0 / step);

    /// <summary>
    /// The statistics of the training rows themselves: E is the mean of μ over mini-batches, Var m/(m−1) times the mean of σ², measured
    /// with frozen weights (Ioffe and Szegedy 2015, Algorithm 2, steps 8 to 10). Costs one more forward pass for each epoch with
    /// validation, and one at the end; in between PyTorch's rule with momentum 0.1 runs on.
    /// </summary>
    public static RunningStatistics Population { get; } =
        new("population", "population, with frozen weights after training", true, _ => 0.1, isPopulation: true);

    /// <summary>
    /// Reads a name as <see cref="ToString"/> writes it, in any case: pytorch, keras, average, debiased (an average with its start
    /// corrected), each perhaps with its number (keras:0.99), cumulative or population. In front of average and debiased <c>biased-</c>
    /// takes the biased variance.
    /// </summary>
    /// <exception cref="FormatException">Another name.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The momentum is out of its range.</exception>
    public static RunningStatistics Parse(string text) => Choice.Read(text) switch
    {
        ("pytorch", []) => PyTorch(),
        ("pytorch", [var momentum]) => PyTorch((float)momentum),
        ("keras", []) => Keras(),
        ("keras", [var momentum]) => Keras((float)momentum),
        ("average", []) => MovingAverage(),
        ("average", [var share]) => MovingAverage((float)share),
        ("debiased", []) => MovingAverage(correctStart: true),
        ("debiased", [var share]) => MovingAverage((float)share, correctStart: true),
        ("biased-average", [var share]) => MovingAverage((float)share, unbiased: false),
        ("biased-debiased", [var share]) => MovingAverage((float)share, unbiased: false, correctStart: true),
        ("cumulative", []) => Cumulative,
        ("population", []) => Population,
        var other => throw other.Unknown(
            "a rule for statistics", "pytorch[:MOMENTUM], keras[:MOMENTUM], average[:SHARE], debiased[:SHARE], cumulative or population"),
    };

    /// <summary>Reads a text as <see cref="Parse"/> does, without an exception.</summary>
    /// <param name="text">The text; null is none.</param>
    /// <param name="result">What it says; null when it could not be read.</param>
    /// <returns>Whether it could be read.</returns>
    public static bool TryParse(string? text, [NotNullWhen(true)] out RunningStatistics? result) =>
        Choice.TryParse(Parse, text, out result);

    /// <summary>The rule as <see cref="Parse"/> reads it: <c>keras:0.99</c>.</summary>
    public override string ToString() => _text;

    /// <summary>The weight of step <paramref name="step"/>'s batch.</summary>
    /// <param name="step">From 1.</param>
    internal float Rate(long step) => (float)_rate(step);
}
