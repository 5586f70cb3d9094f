namespace MlNetBatchNorm.Trainer;

/// <summary>
/// How the running mean and variance follow the batches'. Every rule has the form <c>r ← r + rate(t)·(b − r)</c>, with b the batch's value and t
/// the number of the step, from 1; the rules differ in the rate and in which variance they average.
/// </summary>
public sealed record RunningStatistics
{
    private readonly Func<long, double> _rate;

    private RunningStatistics(string description, bool unbiasedVariance, Func<long, double> rate)
    {
        Description = description;
        UnbiasedVariance = unbiasedVariance;
        _rate = rate;
    }

    /// <summary>The rule in words, as it is written to the exported model's metadata.</summary>
    public string Description { get; }

    /// <summary>Whether the variance that is averaged is Σ(x−μ)²/(m−1) (PyTorch) rather than Σ(x−μ)²/m (Keras).</summary>
    public bool UnbiasedVariance { get; }

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

    /// <summary>The weight of step <paramref name="step"/>'s batch.</summary>
    /// <param name="step">From 1.</param>
    public float Rate(long step) => (float)_rate(step);
}
