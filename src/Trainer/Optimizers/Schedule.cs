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
        RequireShare(warmup, nameof(warmup));
        return new Schedule(
            warmup > 0 ? FormattableString.Invariant($"cosine after a warm-up over {warmup} of the steps") : "cosine",
            progress => progress < warmup ? progress / warmup : 0.5 * (1 + Math.Cos(Math.PI * (progress - warmup) / (1 - warmup))));
    }

    /// <summary>A linear rise from 0, then the same rate to the last step (Goyal et al. 2017, arXiv 1706.02677, section 2.2).</summary>
    /// <param name="share">The share of the steps that the rise takes, from 0 to below 1. Default: 0.05.</param>
    /// <exception cref="ArgumentOutOfRangeException">The share is out of its range.</exception>
    public static Schedule WarmUp(double share = 0.05)
    {
        RequireShare(share, nameof(share));
        return new Schedule(
            FormattableString.Invariant($"warm-up over {share} of the steps"), progress => progress < share ? progress / share : 1);
    }

    /// <summary>The rate times <paramref name="factor"/> at each milestone (He et al. 2016, arXiv 1512.03385, section 4.2: a tenth at 1/2 and 3/4).</summary>
    /// <param name="factor">Above 0, below 1. Default: 0.1.</param>
    /// <param name="milestones">Shares of the steps, rising, each above 0 and below 1; none given = 0.5 and 0.75.</param>
    /// <exception cref="ArgumentOutOfRangeException">The factor or a milestone is out of its range, or the milestones do not rise.</exception>
    public static Schedule Step(double factor = 0.1, params double[] milestones)
    {
        ArgumentNullException.ThrowIfNull(milestones);
        if (factor is not (> 0 and < 1)) throw new ArgumentOutOfRangeException(nameof(factor), factor, "The factor of a step schedule is above 0 and below 1.");
        double[] shares = milestones.Length == 0 ? [0.5, 0.75] : [.. milestones];
        for (var i = 0; i < shares.Length; i++)
            if (!(shares[i] > (i == 0 ? 0 : shares[i - 1]) && shares[i] < 1))
                throw new ArgumentOutOfRangeException(nameof(milestones), shares[i], "Milestones are shares of the steps that rise, each above 0 and below 1.");
        return new Schedule(
            FormattableString.Invariant($"times {factor} at {string.Join(", ", shares.Select(share => share.ToString(System.Globalization.CultureInfo.InvariantCulture)))} of the steps"),
            progress => Math.Pow(factor, shares.Count(share => progress >= share)));
    }

    /// <summary>Reads a name, in any case: constant, cosine, cosine:WARMUP, warmup, warmup:SHARE, step or step:FACTOR,MILESTONE,…</summary>
    /// <exception cref="FormatException">Another name.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public static Schedule Parse(string text) => Choice.Read(text) switch
    {
        ("constant", []) => Constant,
        ("cosine", []) => Cosine(),
        ("cosine", [var warmup]) => Cosine(warmup),
        ("warmup", []) => WarmUp(),
        ("warmup", [var share]) => WarmUp(share),
        ("step", []) => Step(),
        ("step", [var factor, .. var milestones]) => Step(factor, milestones),
        var other => throw other.Unknown("a schedule", "constant, cosine[:WARMUP], warmup[:SHARE] or step[:FACTOR,MILESTONE,…]"),
    };

    /// <summary>The factor at a step.</summary>
    /// <param name="step">From 0.</param>
    /// <param name="steps">The most steps there can be.</param>
    public float Factor(long step, long steps) => (float)_factor((step + 0.5) / steps);

    private static void RequireShare(double share, string name)
    {
        if (share is not (>= 0 and < 1)) throw new ArgumentOutOfRangeException(name, share, "A warm-up takes a share of the steps from 0 to below 1.");
    }
}
