using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using MlNetBatchNorm.Trainer.Text;

namespace MlNetBatchNorm;

/// <summary>How the learning rate changes in the course of training: a factor for the optimizer's own rate.</summary>
public sealed record LearningRateSchedule
{
    private readonly string _text;
    private readonly Func<long, long, double> _factor;

    private LearningRateSchedule(string text, Func<long, long, double> factor) => (_text, _factor) = (text, factor);

    // In the middle of a step, so that the last one of a cosine does not stand still.
    private LearningRateSchedule(string text, Func<double, double> factor)
        : this(text, (step, steps) => factor((step + 0.5) / steps))
    {
    }

    /// <summary>The same rate from the first step to the last.</summary>
    public static LearningRateSchedule Constant { get; } = new("constant", (_, _) => 1);

    /// <summary>
    /// Down to 0 along half a cosine, after a linear rise (Loshchilov and Hutter 2017, arXiv 1608.03983, without restarts). The course is
    /// laid out over the most epochs that training may take.
    /// </summary>
    /// <param name="warmup">The share of the steps that the rise takes, from 0 to below 1. Default: 0.</param>
    public static LearningRateSchedule Cosine(double warmup = 0)
    {
        RequireShare(warmup, nameof(warmup));
        return new LearningRateSchedule(
            warmup > 0 ? Choice.Write("cosine", warmup) : "cosine",
            progress => progress < warmup ? progress / warmup : 0.5 * (1 + Math.Cos(Math.PI * (progress - warmup) / (1 - warmup))));
    }

    /// <summary>A linear rise from 0, then the same rate to the last step (Goyal et al. 2017, arXiv 1706.02677, section 2.2).</summary>
    /// <param name="share">The share of the steps that the rise takes, from 0 to below 1. Default: 0.05.</param>
    /// <exception cref="ArgumentOutOfRangeException">The share is out of its range.</exception>
    public static LearningRateSchedule WarmUp(double share = 0.05)
    {
        RequireShare(share, nameof(share));
        return new LearningRateSchedule(
            Choice.Write("warmup", share), progress => progress < share ? progress / share : 1);
    }

    /// <summary>
    /// The rate times <paramref name="factor"/> at each milestone (He et al. 2016, arXiv 1512.03385, section 4.2: a tenth at 1/2 and 3/4).
    /// </summary>
    /// <param name="factor">Above 0, below 1. Default: 0.1.</param>
    /// <param name="milestones">Shares of the steps, rising, each above 0 and below 1; none given = 0.5 and 0.75.</param>
    /// <exception cref="ArgumentOutOfRangeException">
    /// The factor or a milestone is out of its range, or the milestones do not rise.
    /// </exception>
    public static LearningRateSchedule Step(double factor = 0.1, params double[] milestones)
    {
        ArgumentNullException.ThrowIfNull(milestones);
        if (factor is not (> 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(factor), factor, "The factor of a step schedule is above 0 and below 1.");
        double[] shares = milestones.Length == 0 ? [0.5, 0.75] : [.. milestones];
        for (var i = 0; i < shares.Length; i++)
            if (!(shares[i] > (i == 0 ? 0 : shares[i - 1]) && shares[i] < 1))
                throw new ArgumentOutOfRangeException(
                    nameof(milestones), shares[i], "Milestones are shares of the steps that rise, each above 0 and below 1.");
        return new LearningRateSchedule(
            Choice.Write("step", [factor, .. shares]),
            progress => Math.Pow(factor, shares.Count(share => progress >= share)));
    }

    /// <summary>Reads a name, in any case: constant, cosine, cosine:WARMUP, warmup, warmup:SHARE, step or step:FACTOR,MILESTONE,…</summary>
    /// <exception cref="FormatException">Another name.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public static LearningRateSchedule Parse(string text) => Choice.Read(text) switch
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

    /// <summary>A schedule of your own.</summary>
    /// <param name="name">What it is called; a checkpoint knows it by this name, so give another schedule another one.</param>
    /// <param name="factor">
    /// The factor for a step, given its number from 0 and the most steps that training can take; finite, from 0.
    /// </param>
    public static LearningRateSchedule Custom(string name, Func<long, long, double> factor)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(factor);
        return new LearningRateSchedule(name, (step, steps) => factor(step, steps) is >= 0 and < double.PositiveInfinity and var value
            ? value
            : throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture,
                $"The schedule '{name}' gives {factor(step, steps)} for step {step}; a factor of the learning rate is a finite number from "
                + $"0.")));
    }

    /// <summary>Reads a text as <see cref="Parse"/> does, without an exception.</summary>
    /// <param name="text">The text; null is none.</param>
    /// <param name="result">What it says; null when it could not be read.</param>
    /// <returns>Whether it could be read.</returns>
    public static bool TryParse(string? text, [NotNullWhen(true)] out LearningRateSchedule? result) =>
        Choice.TryParse(Parse, text, out result);

    /// <summary>The schedule as <see cref="Parse"/> reads it (<c>cosine:0.1</c>), or the name of one of your own.</summary>
    public override string ToString() => _text;

    /// <summary>The factor at a step.</summary>
    /// <param name="step">From 0.</param>
    /// <param name="steps">The most steps there can be.</param>
    internal float Factor(long step, long steps) => (float)_factor(step, steps);

    private static void RequireShare(double share, string name)
    {
        if (share is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(name, share, "A warm-up takes a share of the steps from 0 to below 1.");
    }
}
