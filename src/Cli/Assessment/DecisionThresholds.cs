using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Cli.Assessment;

/// <summary>What wrong predictions of two classes cost, in whatever unit; only their ratio decides.</summary>
/// <param name="FalsePositive">Of a row that is called positive and is not. Default: 1.</param>
/// <param name="FalseNegative">Of a row that is called negative and is not. Default: 1.</param>
internal sealed record MisclassificationCosts(double FalsePositive = 1, double FalseNegative = 1)
{
    /// <summary>Whether both mistakes cost the same.</summary>
    public bool AreEqual => FalsePositive == FalseNegative;

    /// <summary>
    /// From which probability on it is cheaper to call a row positive, where probabilities are what they say (Elkan 2001, "The foundations
    /// of cost-sensitive learning").
    /// </summary>
    public double Threshold => FalsePositive / (FalsePositive + FalseNegative);
}

/// <summary>What comes of calling those rows positive whose probability is at least a threshold.</summary>
/// <param name="Threshold">The threshold.</param>
/// <param name="Called">The share of the rows that are called positive.</param>
/// <param name="Precision">The share of these that are positive; NaN where there are none.</param>
/// <param name="Recall">The share of the positive rows that are called so.</param>
/// <param name="Cost">What wrong predictions cost in 1,000 rows.</param>
internal readonly record struct ThresholdFigures(double Threshold, double Called, double Precision, double Recall, double Cost);

/// <summary>Rows of two classes with their probabilities, on which thresholds are looked at.</summary>
/// <param name="probabilities">The probability of the positive class, row by row.</param>
/// <param name="labels">1 for positive, 0 for negative.</param>
/// <param name="weights">Weights of the rows, or null.</param>
internal sealed class ThresholdRows(float[] probabilities, float[] labels, float[]? weights)
{
    /// <summary>How many rows there are.</summary>
    public int Count => labels.Length;

    /// <summary>What comes of a threshold.</summary>
    public ThresholdFigures At(double threshold, MisclassificationCosts costs)
    {
        double hits = 0, falseAlarms = 0, positives = 0, total = 0;
        for (var row = 0; row < labels.Length; row++)
        {
            var weight = weights is null ? 1.0 : weights[row];
            total += weight;
            if (labels[row] > 0.5f) positives += weight;
            if (probabilities[row] < threshold) continue;
            if (labels[row] > 0.5f) hits += weight;
            else falseAlarms += weight;
        }

        var cost = (costs.FalsePositive * falseAlarms) + (costs.FalseNegative * (positives - hits));
        return new ThresholdFigures(
            threshold, (hits + falseAlarms) / total, hits / (hits + falseAlarms), hits / positives, 1000 * cost / total);
    }

    /// <summary>
    /// The threshold at which these rows cost least, halfway between two probabilities. Of equally cheap ones that which is nearest to
    /// <see cref="MisclassificationCosts.Threshold"/>, or that itself; null where the rows are all of one class.
    /// </summary>
    public double? Cheapest(MisclassificationCosts costs)
    {
        var curve = RocCurve.Of(probabilities, labels, weights);
        if (curve.Count == 0) return null;
        double positives = 0, negatives = 0;
        for (var row = 0; row < labels.Length; row++)
        {
            var weight = weights is null ? 1.0 : weights[row];
            if (labels[row] > 0.5f) positives += weight;
            else negatives += weight;
        }

        var (least, best) = (double.PositiveInfinity, costs.Threshold);
        for (var i = 0; i < curve.Count; i++)
        {
            var cost = (costs.FalsePositive * curve[i].FalsePositiveRate * negatives)
                + (costs.FalseNegative * (1 - curve[i].TruePositiveRate) * positives);

            // Between this probability and the next lower one all are the same; above the highest nobody is called positive.
            var above = i > 0 ? curve[i].Threshold : Math.Max(1, Math.BitIncrement((double)curve[1].Threshold));
            var below = i + 1 < curve.Count ? curve[i + 1].Threshold : 0.0;
            var threshold = costs.Threshold > below && costs.Threshold <= above ? costs.Threshold
                : below >= 1 ? above
                : i + 1 < curve.Count ? (above + below) / 2
                : 0;
            var isCheaper = cost < least - (1e-9 * (positives + negatives));
            var isNearer = cost <= least && Math.Abs(threshold - costs.Threshold) < Math.Abs(best - costs.Threshold);
            if (!isCheaper && !isNearer) continue;
            (least, best) = (cost, threshold);
        }

        return best;
    }
}

/// <summary>
/// From which probability on a row should be called positive, by what mistakes cost. The threshold is chosen on rows that are not tested
/// on, so that its figures on the test rows are those to be expected.
/// </summary>
internal sealed class DecisionThresholds
{
    /// <summary>The threshold of <c>PredictedLabel</c>.</summary>
    public const double Usual = 0.5;

    private readonly ThresholdRows _test;

    private DecisionThresholds(ThresholdRows test, ThresholdRows? chooser, MisclassificationCosts costs, string how)
    {
        (_test, Costs, ChosenOn) = (test, costs, how);
        Best = chooser?.Cheapest(costs) ?? costs.Threshold;
        Chooser = chooser;
    }

    /// <summary>What mistakes cost.</summary>
    public MisclassificationCosts Costs { get; }

    /// <summary>The cheapest threshold.</summary>
    public double Best { get; }

    /// <summary>Where it was chosen, for people.</summary>
    public string ChosenOn { get; }

    /// <summary>The rows that it was chosen on; null = by the costs alone.</summary>
    public ThresholdRows? Chooser { get; }

    /// <summary>What comes of a threshold on the test rows.</summary>
    public ThresholdFigures Test(double threshold) => _test.At(threshold, Costs);

    /// <summary>Thresholds, with what they give on the test rows: every twentieth part, and the cheapest one.</summary>
    public IEnumerable<ThresholdFigures> Table =>
        Enumerable.Range(1, 19).Select(part => part / 20.0).Append(Best).Distinct().Order().Select(Test);

    /// <summary>Chooses a threshold.</summary>
    /// <param name="trained">A network for two classes.</param>
    /// <param name="costs">What mistakes cost.</param>
    /// <param name="validation">
    /// Rows that epochs were measured by, with their predictions, where there are no out-of-fold ones; null = none.
    /// </param>
    public static DecisionThresholds Of(TrainedTable trained, MisclassificationCosts costs, TestedRows? validation)
    {
        var test = Rows(trained.Tested);
        if (trained.Network.Model.OutOfFold is { } predicted)
            return new DecisionThresholds(
                test,
                new ThresholdRows(predicted.Predictions.ToArray(), predicted.Rows.TargetArray, predicted.Rows.WeightArray),
                costs,
                "the rows to learn from, each predicted by the member that did not learn from it (out of fold)");
        return validation is null
            ? new DecisionThresholds(
                test, null, costs, "no rows, since this training has no out-of-fold ones: it is the one that goes with the costs where "
                    + "probabilities are what they say")
            : new DecisionThresholds(test, Rows(validation), costs, "the validation rows");
    }

    private static ThresholdRows Rows(TestedRows tested) => new(tested.Predictions, tested.Rows.TargetArray, tested.Rows.WeightArray);
}
