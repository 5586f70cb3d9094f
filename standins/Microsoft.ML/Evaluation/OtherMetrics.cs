namespace Microsoft.ML.Data;

public sealed class RegressionMetrics
{
    internal RegressionMetrics(IEnumerable<double[]> labelsAndScores)
    {
        var rows = labelsAndScores.Select(r => (Label: r[0], Score: r[1])).Where(r => !double.IsNaN(r.Label + r.Score)).ToArray();
        MeanAbsoluteError = rows.Average(r => Math.Abs(r.Label - r.Score));
        MeanSquaredError = rows.Average(r => Math.Pow(r.Label - r.Score, 2));
        var mean = rows.Average(r => r.Label);
        RSquared = 1 - (MeanSquaredError / rows.Average(r => Math.Pow(r.Label - mean, 2)));
    }

    public double MeanAbsoluteError { get; }
    public double MeanSquaredError { get; }
    public double RootMeanSquaredError => Math.Sqrt(MeanSquaredError);
    public double LossFunction => MeanSquaredError;
    public double RSquared { get; }
}

public sealed class MulticlassClassificationMetrics
{
    /// <summary>Each row is the label and the scores. The largest score is the prediction: what PredictedLabel says is not read.</summary>
    internal MulticlassClassificationMetrics(IEnumerable<double[]> labelsAndScores, int classes, int topK)
    {
        var table = Enumerable.Range(0, classes).Select(_ => new double[classes]).ToArray();
        // By true class, and how often the true class was ranked 0 (first), 1, …; the last of each is that of classes without a score.
        var (losses, ranks) = (new double[classes + 1], new double[classes + 1]);
        foreach (var row in labelsAndScores.Where(r => r[0] >= 0 && r[0] == (int)r[0] && Array.TrueForAll(r, double.IsFinite)))
        {
            var (truth, scores) = (Math.Min((int)row[0], classes), row[1..]);
            var score = truth < classes ? scores[truth] : 0;
            losses[truth] -= Math.Log(Math.Clamp(score, 1e-15f, 1));
            // Of equal scores, the first ranks first.
            ranks[scores.Where((s, i) => s > score || (s == score && i < truth)).Count()]++;
            if (truth < classes)
                table[truth][Array.IndexOf(scores, scores.Max())]++;
        }
        var (rows, totals) = (ranks.Sum(), table.Select(row => row.Sum()).ToArray());
        var entropy = -totals.Where(t => t > 0).Sum(t => t * Math.Log(t / rows)) / rows;
        LogLoss = losses.Sum() / rows;
        LogLossReduction = (entropy - LogLoss) / entropy;
        PerClassLogLoss = totals.Select((total, i) => ConfusionMatrix.Ratio(losses[i], total)).ToArray();
        MicroAccuracy = ranks[0] / rows;
        MacroAccuracy = totals.Index().Where(t => t.Item > 0).Average(t => table[t.Index][t.Index] / t.Item);
        TopKPredictionCount = topK;
        TopKAccuracyForAllK = topK == 0 ? null : Enumerable.Range(1, topK).Select(k => ranks.Take(k).Sum() / rows).ToArray();
        ConfusionMatrix = new ConfusionMatrix(table);
    }

    /// <summary>In nats per row, as in the real one, where the binary log-loss is in bits.</summary>
    public double LogLoss { get; }
    public double LogLossReduction { get; }
    public double MacroAccuracy { get; }
    public double MicroAccuracy { get; }
    public double TopKAccuracy => TopKAccuracyForAllK is { Count: > 0 } all ? all[^1] : 0;
    public int TopKPredictionCount { get; }
    public IReadOnlyList<double> TopKAccuracyForAllK { get; }
    public IReadOnlyList<double> PerClassLogLoss { get; }
    public ConfusionMatrix ConfusionMatrix { get; }

    internal static MulticlassClassificationMetrics Read(IDataView data, string label, string score, string predictedLabel, int topK)
    {
        data.Schema.Require(predictedLabel, "PredictedLabel");
        var (labelColumn, scoreColumn) = (data.Schema.Require(label, "label"), data.Schema.Require(score, "score"));
        if (scoreColumn.Type is not VectorDataViewType { Size: > 1 } type || type.ItemType != NumberDataViewType.Single)
            throw SchemaExtensions.Mismatch("score", score, "vector of two or more items of type Single", scoreColumn.Type);
        if (labelColumn.Type != NumberDataViewType.Single && labelColumn.Type is not KeyDataViewType)
            throw SchemaExtensions.Mismatch("label", label, "Single or Key", labelColumn.Type);
        return new MulticlassClassificationMetrics(Numbers.Read(data, labelColumn, scoreColumn), type.Size, topK);
    }
}
