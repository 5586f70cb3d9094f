using System.Globalization;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm;

/// <summary>What happened in one epoch.</summary>
public sealed class EpochReport
{
    internal EpochReport(int epoch, int epochs, double loss, EpochMetrics? validation, bool isBest, TimeSpan elapsed) =>
        (Epoch, Epochs, Loss, Validation, IsBest, Elapsed) = (epoch, epochs, loss, validation, isBest, elapsed);

    /// <summary>The number of the epoch, from 1.</summary>
    public int Epoch { get; }

    /// <summary>The most epochs that there can be.</summary>
    public int Epochs { get; }

    /// <summary>The mean loss over the epoch's mini-batches, each measured before its step.</summary>
    public double Loss { get; }

    /// <summary>The network at the end of the epoch on the rows held out; null when there are none.</summary>
    public EpochMetrics? Validation { get; }

    /// <summary>Whether this epoch's network is the best so far. Without rows held out, every one is.</summary>
    public bool IsBest { get; }

    /// <summary>The time since training began.</summary>
    public TimeSpan Elapsed { get; }

    /// <summary>Whether <see cref="StopAfterThisEpoch"/> was called.</summary>
    internal bool IsStopped { get; private set; }

    /// <summary>
    /// Ends the training here, to be called from <see cref="TrainingOptions.Progress"/>: as if there were no more epochs, so that the
    /// trained network is that of the best epoch so far. (A cancellation, in contrast, leaves no network.) Called later it does nothing.
    /// </summary>
    public void StopAfterThisEpoch() => IsStopped = true;

    /// <summary>The report as a line for people; a star marks the best epoch so far.</summary>
    public override string ToString()
    {
        var text = string.Create(CultureInfo.InvariantCulture, $"epoch {Epoch,3}/{Epochs}  loss {Loss:0.0000}");
        if (Validation is null) return text;
        var rows = Validation.IsOutOfFold ? "out-of-fold" : "validation";
        text += string.Create(CultureInfo.InvariantCulture, $"  {rows} loss {Validation.Loss:0.0000}  {Validation}");
        return IsBest ? $"{text}  *" : text;
    }
}

/// <summary>
/// How good a network is on the rows held out, measured with the statistics that it would be exported with. The figures have the names that
/// ML.NET gives them; those that the task does not have are null.
/// </summary>
public sealed class EpochMetrics
{
    internal EpochMetrics(double loss, MetricValues values) => (Loss, Values) = (loss, values);

    /// <summary>
    /// Whether the rows are the training rows, each measured by the member of an ensemble that does not learn from it
    /// (<see cref="TrainingOptions.OutOfFold"/>).
    /// </summary>
    public bool IsOutOfFold { get; internal init; }

    /// <summary>
    /// The weighted mean of the rows' losses; of standardized targets, where training standardizes them. Epochs are compared by it.
    /// NaN for an export, which measures the figures only.
    /// </summary>
    public double Loss { get; }

    /// <summary>
    /// For two classes: the area under the ROC curve, from 0 to 1 (0.5 = guessing); NaN when the rows are all of one class.
    /// </summary>
    public double? AreaUnderRocCurve => Values[Metric.AreaUnderRocCurve];

    /// <summary>For two classes: the share of the rows that are predicted right, by a threshold of 0.5.</summary>
    public double? Accuracy => Values[Metric.Accuracy];

    /// <summary>For more than two classes: the share of the rows that are predicted right.</summary>
    public double? MicroAccuracy => Values[Metric.MicroAccuracy];

    /// <summary>For more than two classes: the share of a class's rows that are predicted right, on average over the classes.</summary>
    public double? MacroAccuracy => Values[Metric.MacroAccuracy];

    /// <summary>
    /// For classes: the mean of −log of the probability that was given to the class that came about, by the natural logarithm (ML.NET's own
    /// for two classes is in bits: 1.44 times as much).
    /// </summary>
    public double? LogLoss => Values[Metric.LogLoss];

    /// <summary>For numbers: the root of the mean squared error, in the unit of the label.</summary>
    public double? RootMeanSquaredError => Values[Metric.RootMeanSquaredError];

    /// <summary>For numbers: the mean size of an error, in the unit of the label.</summary>
    public double? MeanAbsoluteError => Values[Metric.MeanAbsoluteError];

    /// <summary>
    /// For numbers: the coefficient of determination; 1 = exact, 0 = no better than the mean, NaN when the labels do not vary.
    /// </summary>
    public double? RSquared => Values[Metric.RSquared];

    /// <summary>All figures, by their metrics.</summary>
    internal MetricValues Values { get; }

    /// <summary>
    /// The figures as people read them: <c>AUC 0.8412  accuracy 0.8010</c>. The log-loss, which the loss is or nearly is, is left out.
    /// </summary>
    public override string ToString() => string.Join(
        "  ",
        from value in Values
        where value.Metric != Metric.LogLoss
        select $"{value.Metric.Name} {value.Metric.Format(value.Value)}");
}
