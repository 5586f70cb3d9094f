using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Trainer;

/// <summary>
/// How good a network is on the rows held out, measured with the statistics that it would be exported with. The figures have the names that
/// ML.NET gives them; those that the task does not have are null.
/// </summary>
public sealed class EpochMetrics
{
    internal EpochMetrics(double loss, MetricValues values) => (Loss, Values) = (loss, values);

    /// <summary>The weighted mean of the rows' losses; of standardized targets, where training standardizes them. Epochs are compared by it.</summary>
    public double Loss { get; }

    /// <summary>For two classes: the area under the ROC curve, from 0 to 1 (0.5 = guessing); NaN when the rows are all of one class.</summary>
    public double? AreaUnderRocCurve => Values[Metric.AreaUnderRocCurve];

    /// <summary>For two classes: the share of the rows that are predicted right, by a threshold of 0.5.</summary>
    public double? Accuracy => Values[Metric.Accuracy];

    /// <summary>For more than two classes: the share of the rows that are predicted right.</summary>
    public double? MicroAccuracy => Values[Metric.MicroAccuracy];

    /// <summary>For more than two classes: the share of a class's rows that are predicted right, on average over the classes.</summary>
    public double? MacroAccuracy => Values[Metric.MacroAccuracy];

    /// <summary>
    /// For classes: the mean of −log of the probability that was given to the class that came about, by the natural logarithm (ML.NET's own for two
    /// classes is in bits: 1.44 times as much).
    /// </summary>
    public double? LogLoss => Values[Metric.LogLoss];

    /// <summary>For numbers: the root of the mean squared error, in the unit of the label.</summary>
    public double? RootMeanSquaredError => Values[Metric.RootMeanSquaredError];

    /// <summary>For numbers: the mean size of an error, in the unit of the label.</summary>
    public double? MeanAbsoluteError => Values[Metric.MeanAbsoluteError];

    /// <summary>For numbers: the coefficient of determination; 1 = exact, 0 = no better than the mean, NaN when the labels do not vary.</summary>
    public double? RSquared => Values[Metric.RSquared];

    /// <summary>All figures, by their metrics.</summary>
    internal MetricValues Values { get; }

    /// <summary>The figures as people read them: <c>AUC 0.8412  accuracy 0.8010</c>. The log-loss, which the loss is or nearly is, is left out.</summary>
    public override string ToString() => string.Join(
        "  ", Values.Where(value => value.Metric != Metric.LogLoss).Select(value => $"{value.Metric.Name} {value.Metric.Format(value.Value)}"));
}
