using System.Diagnostics.CodeAnalysis;
using MlNetBatchNorm.Trainer.Text;

namespace MlNetBatchNorm;

/// <summary>What a network sees of a feature that is a number.</summary>
public sealed record NumericEncoding
{
    // What an entry of a piecewise-linear encoding costs, it costs for every number: beyond so many, few would pay for it.
    internal const int MostNumbers = 512;

    private const int BinsOfClasses = 8, BinsOfNumbers = 48;

    private readonly string _text;

    private NumericEncoding(string text) => _text = text;

    /// <summary>
    /// The number, brought to mean 0 and variance 1 (<see cref="TrainingOptions.StandardizeFeatures"/>). Cheapest, and as good as any where
    /// a prediction rises and falls smoothly with its features.
    /// </summary>
    public static NumericEncoding Standardize { get; } = new("standardize");

    /// <summary>The bins of a piecewise-linear encoding; 0 = by the loss.</summary>
    internal int Bins { get; private init; }

    /// <summary>Whether it is a piecewise-linear encoding.</summary>
    internal bool IsPiecewiseLinear { get; private init; }

    /// <summary>The frequencies of a periodic encoding; 0 = it is none.</summary>
    internal int Frequencies { get; private init; }

    /// <summary>The standard deviation of the first frequencies.</summary>
    internal float Deviation { get; private init; }

    /// <summary>Whether the trainer puts an encoding in front of the network.</summary>
    internal bool IsOfNetwork => IsPiecewiseLinear || Frequencies > 0;

    /// <summary>
    /// The number in quartile ranges from its median, bent smoothly towards ±3 (z/√(1 + (z/3)²) with z = (x − median)/IQR; RealMLP,
    /// Holzmüller et al. 2024, arXiv 2407.04491), and beside it a piecewise-linear encoding by quantile bins: entry t is how much of bin t
    /// lies below the number, clip((x − eₜ)/(eₜ₊₁ − eₜ), 0, 1) (Gorishniy et al. 2022, arXiv 2203.05556, section 3.1). A value that many
    /// rows share, like 0, is an edge; features with two values have one entry. Steps, thresholds and peaks are learned in a few epochs
    /// where a plain number needs hundreds; it costs a wider first layer.
    /// </summary>
    /// <param name="bins">The bins of each number, from 1 to 1024; null (the default) = 8 for classes, 48 for numbers.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bins are out of their range.</exception>
    public static NumericEncoding PiecewiseLinear(int? bins = null) => bins is null or (>= 1 and <= 1024)
        ? new NumericEncoding(bins is { } given ? Choice.Write("piecewise", given) : "piecewise")
        {
            Bins = bins ?? 0,
            IsPiecewiseLinear = true,
        }
        : throw new ArgumentOutOfRangeException(nameof(bins), bins, "A number has from 1 to 1024 bins.");

    /// <summary>
    /// The number z, smoothly clipped as in <see cref="PiecewiseLinear"/>, and beside it sin(2π·c·z) and cos(2π·c·z) for several c, which
    /// are learned (Gorishniy et al. 2022, arXiv 2203.05556, section 3.2). Each member of an ensemble learns its own, unless the members
    /// share their weights. For what repeats or bends often and smoothly; it costs two waves a frequency at every scoring, for each of the
    /// members. Where there are more than 512 numbers, none has waves.
    /// </summary>
    /// <param name="frequencies">The frequencies of each number, from 1 to 1024. Default: 16.</param>
    /// <param name="deviation">
    /// The standard deviation of the first frequencies, above 0, in turns per quartile range: larger ones begin with finer
    /// steps. Default: 1.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public static NumericEncoding Periodic(int frequencies = 16, float deviation = 1)
    {
        if (frequencies is not (>= 1 and <= 1024))
            throw new ArgumentOutOfRangeException(nameof(frequencies), frequencies, "A number has from 1 to 1024 frequencies.");
        return deviation is > 0 and < float.PositiveInfinity
            ? new NumericEncoding(Choice.Write("periodic", frequencies, deviation)) { Frequencies = frequencies, Deviation = deviation }
            : throw new ArgumentOutOfRangeException(
                nameof(deviation), deviation, "The standard deviation of the first frequencies is a finite number above 0.");
    }

    /// <summary>
    /// Reads a name as <see cref="ToString"/> writes it, in any case: standardize, piecewise, piecewise:BINS, periodic,
    /// periodic:FREQUENCIES or periodic:FREQUENCIES,DEVIATION.
    /// </summary>
    /// <exception cref="FormatException">Another name.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public static NumericEncoding Parse(string text) => Choice.Read(text) switch
    {
        ("standardize", []) => Standardize,
        ("piecewise", []) => PiecewiseLinear(),
        ("piecewise", [var bins]) when bins == Math.Floor(bins) => PiecewiseLinear((int)bins),
        ("periodic", []) => Periodic(),
        ("periodic", [var count]) when count == Math.Floor(count) => Periodic((int)count),
        ("periodic", [var count, var deviation]) when count == Math.Floor(count) => Periodic((int)count, (float)deviation),
        var other => throw other.Unknown("an encoding of numbers", "standardize, piecewise[:BINS] or periodic[:FREQUENCIES,DEVIATION]"),
    };

    /// <summary>Reads a text as <see cref="Parse"/> does, without an exception.</summary>
    /// <param name="text">The text; null is none.</param>
    /// <param name="result">What it says; null when it could not be read.</param>
    /// <returns>Whether it could be read.</returns>
    public static bool TryParse(string? text, [NotNullWhen(true)] out NumericEncoding? result) => Choice.TryParse(Parse, text, out result);

    /// <summary>The encoding as <see cref="Parse"/> reads it: <c>piecewise:48</c>.</summary>
    public override string ToString() => _text;

    /// <summary>The bins for a loss; 0 = none.</summary>
    internal int BinsFor(bool isRegression) => !IsPiecewiseLinear ? 0 : Bins > 0 ? Bins : isRegression ? BinsOfNumbers : BinsOfClasses;
}
