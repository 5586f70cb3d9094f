using System.Globalization;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Cli.Assessment;

/// <summary>
/// What was found out, in two to five sentences for whoever decides: is it better than nothing, better than a linear model, to be believed,
/// what does it depend on, and what is there to be careful about.
/// </summary>
internal static class VerdictSentences
{
    // Calibration that nobody would feel, and how much more than chance is none.
    private const double FineCalibration = 0.02;
    private const double TimesChance = 1.5;

    // With fewer, every figure is a rough one.
    private const int FewRows = 200;

    // Of all that columns are worth together, what makes one column suspicious where predictions are nearly perfect.
    private const double Suspicious = 0.8;
    private const double NearlyPerfect = 0.98;
    private const double HardlyRecognized = 0.2;

    /// <summary>The sentences.</summary>
    public static IEnumerable<string> Of(ModelAssessment found)
    {
        yield return BesideNothing(found);
        if (found.Trained.BaseRateWarning is not null)
        {
            // Of what says nothing there is nothing more to know, but that another model does say something.
            yield return found.Linear is { } other && IsWorth(found, other)
                ? BesideLinear(found, other)
                : $"Look for columns that say more of {found.Trained.Schema.Label.Column}, or for more rows.";
            yield break;
        }

        if (found.Linear is { } linear) yield return BesideLinear(found, linear);
        if (found.Reliability.Count > 0) yield return Calibration(found);
        if (found.Columns is { } columns) yield return Columns(columns);
        if (Careful(found) is { } careful) yield return careful;
    }

    /// <summary>A figure with its interval: <c>0.8366 (0.8133 to 0.8600)</c>.</summary>
    public static string Text(Metric metric, Interval interval) => double.IsNaN(interval.Low) || interval.Low == interval.High
        ? Text(metric, interval.Value)
        : $"{Text(metric, interval.Value)} ({Text(metric, interval.Low)} to {Text(metric, interval.High)})";

    /// <summary>A figure; a dash where it is not defined.</summary>
    public static string Text(Metric metric, double value) => double.IsNaN(value) ? "–" : metric.Format(value);

    private static string BesideNothing(ModelAssessment found)
    {
        var (metric, alone, how) = found.Trained.BaseRate.Alone;
        var value = found.Trained.TestMetrics[metric] ?? double.NaN;
        if (found.Trained.BaseRateWarning is not null)
            return $"Do not use it: on the test rows it is no better than {how} ({metric.Name} {Text(metric, value)} beside "
                + $"{Text(metric, alone)}).";
        var (first, figure) = found.Figures[0];
        var loss = first == metric ? "that" : $"{metric.Name} {Text(metric, value)}";
        return $"It is better than {how}: {first.Name} {Text(first, figure)} on the test rows, and {loss} is "
            + $"{Percent(1 - (value / alone), 0)} below {Text(metric, alone)}.";
    }

    private static string BesideLinear(ModelAssessment found, LinearModel linear)
    {
        var (metric, _, _) = found.Trained.BaseRate.Alone;
        var ahead = linear.NetworkAhead.First(figure => figure.Metric == metric).Ahead;
        var model = $"a linear model of the same columns ({metric.Name} {Text(metric, linear.Test[metric] ?? double.NaN)})";
        var by = $"{Text(metric, Math.Abs(ahead.Value))} ({Text(metric, Math.Min(Math.Abs(ahead.Low), Math.Abs(ahead.High)))} to "
            + $"{Text(metric, Math.Max(Math.Abs(ahead.Low), Math.Abs(ahead.High)))})";
        if (ahead.IsAbove(0)) return $"It is better than {model}, by {by}.";
        if (ahead.IsBelow(0)) return $"It is worse than {model}, by {by}{(IsWorth(found, linear) ? ": use that one" : string.Empty)}.";
        return $"{char.ToUpperInvariant(model[0])}{model[1..]} is about as good, and simpler: on other rows the network may be worse by "
            + $"{Text(metric, -ahead.Low)} or better by {Text(metric, ahead.High)}.";
    }

    // Whether the linear model is better than the network, and than nothing.
    private static bool IsWorth(ModelAssessment found, LinearModel linear)
    {
        var (metric, alone, _) = found.Trained.BaseRate.Alone;
        return linear.NetworkAhead.First(figure => figure.Metric == metric).Ahead.IsBelow(0) && linear.Test[metric] < alone;
    }

    private static string Calibration(ModelAssessment found)
    {
        var (error, chance) = (ReliabilityCurve.Error(found.Reliability), ReliabilityCurve.ErrorByChance(found.Reliability));
        var sizes = $"off by {Points(error)} on average, where chance alone makes {Points(chance)}";
        var sentence = error <= FineCalibration || error <= TimesChance * chance
            ? $"Its probabilities can be taken at their word: {sizes}"
            : $"Do not take its probabilities at their word: {sizes}";
        if (found.Thresholds is not { Costs.AreEqual: false } thresholds) return $"{sentence}.";
        var positive = found.Trained.Schema.Label.PositiveClass!;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{sentence}; with the costs given, say {positive} from {Percent(thresholds.Best, 1)} on: wrong predictions then cost "
                + $"{thresholds.Test(thresholds.Best).Cost:0.#} in 1,000 rows, and from 50 % on "
                + $"{thresholds.Test(DecisionThresholds.Usual).Cost:0.#}.");
    }

    private static string Columns(ColumnImportances columns)
    {
        string[] sure = [.. columns.First.Select(column => column.Column)];
        return sure.Length == 0
            ? "No column alone matters beyond chance; several that say the same may stand in for each other."
            : $"It depends most on {NameList.Of(sure)}.";
    }

    private static string? Careful(ModelAssessment found)
    {
        var cautions = new List<string>();
        var label = found.Trained.Schema.Label;
        if (Leak(found) is { } leak)
            cautions.Add($"nearly all it knows is from {leak}; make sure that this is known at the time of a prediction");
        if (Group(found) is { } group) cautions.Add(group);
        if (label.Classes.Count > 0 && Unrecognized(found) is { Count: > 0 } classes)
            cautions.Add($"it hardly ever recognizes {NameList.Of(classes, 3)}");
        if (found.Trained.TestRows < FewRows) cautions.Add($"{found.Trained.TestRows} test rows are few: all these figures are rough");
        return cautions.Count == 0 ? null : $"Be careful: {string.Join("; ", cautions)}.";
    }

    private static string? Leak(ModelAssessment found)
    {
        if (found.Columns is not { Columns: [var first, _, ..] } columns) return null;
        var (metric, value) = found.Trained.TestMetrics.First();
        var isPerfect = metric.HigherIsBetter
            ? value >= NearlyPerfect
            : (found.Trained.TestMetrics[Metric.RSquared] ?? 0) >= NearlyPerfect;
        var all = columns.Columns.Sum(column => Math.Max(0, column.Loss.Value));
        return isPerfect && first.Loss.Value >= Suspicious * all ? NameList.Quote(first.Column) : null;
    }

    // Where predictions are farthest from what came about, or the group in which it is worst off.
    private static string? Group(ModelAssessment found)
    {
        var groups = found.Groups
            .SelectMany(column => column.Groups.Select(group => (column.Column, column.Metric, Group: group))).ToArray();
        var biased = groups.Where(group => group.Group.IsBiased).ToArray();
        if (biased.Length == 0)
        {
            var worse = groups.Where(group => group.Group.IsWorse).ToArray();
            if (worse.Length == 0) return null;
            var (column, metric, group) = worse.MaxBy(of => (of.Metric.HigherIsBetter ? -1 : 1) * of.Group.Figure.Value);
            return $"among rows where {column} is {NameList.Quote(group.Name)} it is less good ({metric.Name} "
                + $"{Text(metric, group.Figure)})";
        }

        var most = biased.MaxBy(of => Math.Abs(of.Group.Excess.Value));
        var excess = Math.Abs(most.Group.Excess.Value);
        var size = found.Trained.Schema.Label.Task.HasClasses ? Points(excess) : Text(Metric.MeanAbsoluteError, excess);
        return $"where {most.Column} is {NameList.Quote(most.Group.Name)}, predictions are too "
            + $"{(most.Group.Excess.Value > 0 ? "high" : "low")} by {size} on average";
    }

    private static List<string> Unrecognized(ModelAssessment found)
    {
        var (rows, label) = (found.Trained.Tested.Rows, found.Trained.Schema.Label);
        var matrix = ConfusionMatrix.Of(found.Trained.Tested.Predictions, rows.TargetArray, rows.Outputs, rows.WeightArray);
        return [.. label.Classes.Where((_, i) => matrix.Actual(i) > 0 && matrix.Recall(i) < HardlyRecognized).Select(NameList.Quote)];
    }

    private static string Percent(double share, int digits) =>
        $"{(100 * share).ToString($"F{digits}", CultureInfo.InvariantCulture)} %";

    private static string Points(double share) =>
        $"{(100 * share).ToString("0.0", CultureInfo.InvariantCulture)} percentage points";
}
