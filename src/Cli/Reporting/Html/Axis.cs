using System.Globalization;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>An axis of a chart.</summary>
/// <param name="Label">What is on it.</param>
/// <param name="From">The value at its beginning.</param>
/// <param name="To">The value at its end.</param>
internal sealed record Axis(string Label, double From, double To)
{
    /// <summary>An axis for values, a little longer than they need; of some length even where they are all the same.</summary>
    public static Axis For(string label, IEnumerable<double> values)
    {
        double[] finite = [.. values.Where(double.IsFinite)];
        if (finite.Length == 0) return new Axis(label, 0, 1);
        var (least, most) = (finite.Min(), finite.Max());
        var margin = most > least ? 0.04 * (most - least) : Math.Max(Math.Abs(most) * 0.1, 1e-6);
        return new Axis(label, least - margin, most + margin);
    }

    /// <summary>Where a value lies, from 0 to 1.</summary>
    public double Place(double value) => (value - From) / (To - From);

    /// <summary>About five round values on the axis.</summary>
    public IEnumerable<double> Ticks()
    {
        var step = Step;
        for (var tick = Math.Ceiling((From / step) - 1e-9); tick * step <= To + (step * 1e-9); tick++)
            yield return tick == 0 ? 0 : tick * step;
    }

    /// <summary>A value as it stands beside the axis.</summary>
    public string Text(double tick)
    {
        var largest = Math.Max(Math.Abs(From), Math.Abs(To));
        if (largest >= 1e7 || largest < 1e-4) return tick.ToString("0.##E+0", CultureInfo.InvariantCulture);
        var digits = Math.Max(0, -(int)Math.Floor(Math.Log10(Step) + 1e-9));
        return tick.ToString($"N{digits}", CultureInfo.InvariantCulture);
    }

    // 1, 2 or 5 times a power of ten.
    private double Step
    {
        get
        {
            var rough = (To - From) / 5;
            var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
            return power * (rough / power) switch { < 1.5 => 1, < 3.5 => 2, < 7.5 => 5, _ => 10 };
        }
    }
}
