using System.Collections;
using System.Globalization;

namespace MlNetBatchNorm.Onnx.Metrics;

/// <summary>
/// A figure that says how good predictions are: how it is called, what it means, in which unit, whether more of it is better, and how it is
/// computed. A new one is a line here and its formula.
/// </summary>
internal sealed class Metric
{
    private readonly FigureOf<double> _compute;
    private readonly FigureOf<double[]> _byRow;

    private Metric(
        string key,
        string name,
        MetricUnit unit,
        bool higherIsBetter,
        bool isJudged,
        string meaning,
        FigureOf<double> compute,
        FigureOf<double[]> byRow)
    {
        (Key, Name, Unit, HigherIsBetter, IsJudged, Meaning) = (key, name, unit, higherIsBetter, isJudged, meaning);
        (_compute, _byRow) = (compute, byRow);
    }

    /// <summary>The area under the ROC curve.</summary>
    public static Metric AreaUnderRocCurve { get; } = new(
        "auc", "AUC", MetricUnit.Share, higherIsBetter: true, isJudged: true,
        "the probability that a random positive row scores above a random negative one", ClassificationMetrics.AreaUnderRoc,
        ClassificationMetrics.AreaUnderRocByRow);

    /// <summary>The share of the rows of two classes that are predicted right.</summary>
    public static Metric Accuracy { get; } = new(
        "accuracy", "accuracy", MetricUnit.Share, higherIsBetter: true, isJudged: true,
        "the share of the rows that are predicted right", ClassificationMetrics.Accuracy,
        ClassificationMetrics.AccuracyByRow);

    /// <summary>The same for more than two classes, which ML.NET calls by this name.</summary>
    public static Metric MicroAccuracy { get; } = new(
        "accuracy", "accuracy", MetricUnit.Share, higherIsBetter: true, isJudged: true,
        "the share of the rows that are predicted right", ClassificationMetrics.Accuracy,
        ClassificationMetrics.AccuracyByRow);

    /// <summary>The mean of the shares of each class's rows that are predicted right.</summary>
    public static Metric MacroAccuracy { get; } = new(
        "macroAccuracy", "macro-accuracy", MetricUnit.Share, higherIsBetter: true, isJudged: true,
        "the share of a class's rows that are predicted right, on average over the classes", ClassificationMetrics.MacroAccuracy,
        ClassificationMetrics.MacroAccuracyByRow);

    /// <summary>The mean of −log of the probability that was given to the class that came about.</summary>
    public static Metric LogLoss { get; } = new(
        "logLoss", "log-loss", MetricUnit.Nats, higherIsBetter: false, isJudged: false,
        "how far the probabilities are off", ClassificationMetrics.LogLoss,
        ClassificationMetrics.LogLossByRow);

    /// <summary>√(mean of the squared errors).</summary>
    public static Metric RootMeanSquaredError { get; } = new(
        "rmse", "RMSE", MetricUnit.OfLabel, higherIsBetter: false, isJudged: true,
        "the size of an error, where large errors count more", RegressionMetrics.RootMeanSquaredError,
        RegressionMetrics.RootMeanSquaredErrorByRow);

    /// <summary>The mean of the errors' sizes.</summary>
    public static Metric MeanAbsoluteError { get; } = new(
        "mae", "MAE", MetricUnit.OfLabel, higherIsBetter: false, isJudged: false,
        "how far a prediction is off on average", RegressionMetrics.MeanAbsoluteError,
        RegressionMetrics.MeanAbsoluteErrorByRow);

    /// <summary>The coefficient of determination.</summary>
    public static Metric RSquared { get; } = new(
        "rSquared", "R²", MetricUnit.Share, higherIsBetter: true, isJudged: false,
        "the share of what makes the label differ from row to row that is explained", RegressionMetrics.RSquared,
        RegressionMetrics.RSquaredByRow);

    /// <summary>The figures of a network for two classes.</summary>
    public static IReadOnlyList<Metric> OfTwoClasses { get; } = [AreaUnderRocCurve, Accuracy, LogLoss];

    /// <summary>The figures of a network for more than two classes.</summary>
    public static IReadOnlyList<Metric> OfClasses { get; } = [MicroAccuracy, MacroAccuracy, LogLoss];

    /// <summary>The figures of a network for numbers.</summary>
    public static IReadOnlyList<Metric> OfNumbers { get; } = [RootMeanSquaredError, MeanAbsoluteError, RSquared];

    /// <summary>What it is called in files: <c>auc</c>. Never changes.</summary>
    public string Key { get; }

    /// <summary>What it is called to people: AUC.</summary>
    public string Name { get; }

    /// <summary>What its value counts.</summary>
    public MetricUnit Unit { get; }

    /// <summary>Whether more of it is better; an error is better the smaller it is.</summary>
    public bool HigherIsBetter { get; }

    /// <summary>Whether a changed model is refused when this has become worse by more than is allowed. The others are only told.</summary>
    public bool IsJudged { get; }

    /// <summary>What it says, as a clause.</summary>
    public string Meaning { get; }

    /// <summary>The figure for some rows; NaN where they leave it undefined.</summary>
    public double Compute(PredictedRows rows) => _compute(rows);

    /// <summary>
    /// What each row says of the figure: the figure is the (weighted) mean of these, and as sure as that mean is, for rows by the delta
    /// method (Hampel 1974, the influence function). Of one and the same row the difference of two models' values tells how sure their
    /// difference is. NaN where the rows leave it undefined.
    /// </summary>
    public double[] ByRow(PredictedRows rows) => _byRow(rows);

    /// <summary>A value with four decimals; one in the unit of the label, which can be dollars or micrograms, with six digits.</summary>
    public string Format(double value) => value.ToString(Unit == MetricUnit.OfLabel ? "G6" : "0.0000", CultureInfo.InvariantCulture);

    /// <summary>
    /// How much worse a value is than it was: what a share has lost, and by which part of itself an error has grown. Negative where it is
    /// better.
    /// </summary>
    public double Loss(double before, double after) =>
        HigherIsBetter ? before - after
        : after == before ? 0
        : (after / before) - 1;

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>What the value of a metric counts.</summary>
internal enum MetricUnit
{
    /// <summary>A part of a whole: 1 is all of it.</summary>
    Share,

    /// <summary>Information by the natural logarithm; ML.NET's own log-loss for two classes is in bits.</summary>
    Nats,

    /// <summary>The unit of the label itself.</summary>
    OfLabel,
}

/// <summary>A figure of predictions. (A <c>Func</c> takes no ref struct before .NET 9.)</summary>
internal delegate TFigure FigureOf<out TFigure>(PredictedRows rows);

/// <summary>What was predicted for some rows, beside what is right.</summary>
internal readonly ref struct PredictedRows
{
    /// <param name="predictions">
    /// The predictions, <c>[N, width]</c>: the probability of the positive class (width 1), that of each class, or the numbers themselves.
    /// </param>
    /// <param name="targets">What is right, <c>[N, width]</c>: 0 or 1, one-hot, or the numbers.</param>
    /// <param name="width">Values for each row.</param>
    /// <param name="weights">A weight for each row; empty = all count the same.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public PredictedRows(ReadOnlySpan<float> predictions, ReadOnlySpan<float> targets, int width, ReadOnlySpan<float> weights = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        if (predictions.Length != targets.Length)
            throw new ArgumentException($"There are {predictions.Length} predictions but {targets.Length} targets.", nameof(predictions));
        Predictions = predictions;
        Targets = targets;
        Width = width;
        Weights = weights;
    }

    public ReadOnlySpan<float> Predictions { get; }

    public ReadOnlySpan<float> Targets { get; }

    public int Width { get; }

    public ReadOnlySpan<float> Weights { get; }

    public int Count => Targets.Length / Width;

    public double Weight(int row) => Weights.IsEmpty ? 1 : Weights[row];

    public ReadOnlySpan<float> Prediction(int row) => Predictions.Slice(row * Width, Width);

    public ReadOnlySpan<float> Target(int row) => Targets.Slice(row * Width, Width);
}

/// <summary>How much worse a changed model is than it was, by the same metrics on the same rows.</summary>
/// <param name="Before">The figures of the model as it was.</param>
/// <param name="After">Those of the changed one.</param>
internal sealed record MetricComparison(MetricValues Before, MetricValues After)
{
    /// <summary>The loss that is allowed when none is said: a hundredth.</summary>
    public const double DefaultAllowedLoss = 0.01;

    /// <summary>How much worse each figure is; see <see cref="Metric.Loss"/>.</summary>
    public MetricValues Losses =>
        new(Before.Select(figure => (figure.Metric, figure.Metric.Loss(figure.Value, After[figure.Metric]!.Value))));

    /// <summary>
    /// What has become too bad, as a clause with the figure and both of its values; null when nothing has. Only the metrics by which models
    /// are judged count (<see cref="Metric.IsJudged"/>); one that was not defined before (an AUC with one class) says nothing.
    /// </summary>
    /// <param name="allowed">The largest loss, as <see cref="Metric.Loss"/> gives it.</param>
    public string? WhyTooLarge(double allowed)
    {
        foreach (var (metric, loss) in Losses)
        {
            var (before, after) = (Before[metric]!.Value, After[metric]!.Value);
            if (!metric.IsJudged || double.IsNaN(before) || loss <= allowed) continue;
            var unit = metric.HigherIsBetter ? string.Empty : " of itself";
            return string.Create(
                CultureInfo.InvariantCulture,
                $"{metric.Key} goes from {before:G6} to {after:G6}: a loss of {loss:G3}{unit}, more than the {allowed:G3} allowed");
        }

        return null;
    }
}

/// <summary>How good predictions are by several metrics, in the order in which they are shown.</summary>
internal sealed class MetricValues(IEnumerable<(Metric Metric, double Value)> values) : IEnumerable<(Metric Metric, double Value)>
{
    private readonly (Metric Metric, double Value)[] _values = [.. values];

    /// <summary>The value of a metric; null where the predictions were not measured by it.</summary>
    public double? this[Metric metric] =>
        _values.FirstOrDefault(value => value.Metric == metric) is { Metric: not null } found ? found.Value : null;

    /// <summary>Measures predictions.</summary>
    public static MetricValues Measure(IReadOnlyList<Metric> metrics, PredictedRows rows)
    {
        var values = new (Metric, double)[metrics.Count];
        for (var i = 0; i < values.Length; i++) values[i] = (metrics[i], metrics[i].Compute(rows));
        return new MetricValues(values);
    }

    /// <summary>Values by their metrics' keys, as <see cref="ToKeys"/> gave them.</summary>
    /// <exception cref="FormatException">There are no metrics with these keys that go together.</exception>
    public static MetricValues FromKeys(IReadOnlyDictionary<string, double> values)
    {
        IReadOnlyList<Metric>[] sets = [Metric.OfTwoClasses, Metric.OfClasses, Metric.OfNumbers];
        var metrics = sets.FirstOrDefault(set => set.Count == values.Count && set.All(metric => values.ContainsKey(metric.Key)))
            ?? throw new FormatException($"There are no metrics that go together as {string.Join(", ", values.Keys)}.");
        return new MetricValues(metrics.Select(metric => (metric, values[metric.Key])));
    }

    /// <summary>The values by their metrics' keys, for files.</summary>
    public Dictionary<string, double> ToKeys() =>
        _values.ToDictionary(value => value.Metric.Key, value => value.Value, StringComparer.Ordinal);

    /// <inheritdoc/>
    public IEnumerator<(Metric Metric, double Value)> GetEnumerator() => _values.AsEnumerable().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
