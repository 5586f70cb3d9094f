namespace MlNetBatchNorm.Trainer;

/// <summary>How the learning rate changes in the course of training: a factor for the optimizer's own rate.</summary>
public sealed record Schedule
{
    private readonly Func<double, double> _factor;

    private Schedule(string description, Func<double, double> factor)
    {
        Description = description;
        _factor = factor;
    }

    /// <summary>The same rate from the first step to the last.</summary>
    public static Schedule Constant { get; } = new("constant", _ => 1);

    /// <summary>The schedule in words.</summary>
    public string Description { get; }

    /// <summary>
    /// Down to 0 along half a cosine, after a linear rise (Loshchilov and Hutter 2017, arXiv 1608.03983, without restarts). The course is laid
    /// out over the most epochs that training may take.
    /// </summary>
    /// <param name="warmup">The share of the steps that the rise takes, from 0 to below 1. Default: 0.</param>
    public static Schedule Cosine(double warmup = 0)
    {
        if (warmup is not (>= 0 and < 1)) throw new ArgumentOutOfRangeException(nameof(warmup), warmup, "A warm-up takes a share from 0 to below 1.");
        return new Schedule(
            "cosine",
            progress => progress < warmup ? progress / warmup : 0.5 * (1 + Math.Cos(Math.PI * (progress - warmup) / (1 - warmup))));
    }

    /// <summary>The factor at a step.</summary>
    /// <param name="step">From 0.</param>
    /// <param name="steps">The most steps there can be.</param>
    public float Factor(long step, long steps) => (float)_factor((step + 0.5) / steps);
}
