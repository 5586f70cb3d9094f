using Microsoft.ML.Rows;

namespace Microsoft.ML.Data;

public sealed class MulticlassClassificationMetrics
{
    internal MulticlassClassificationMetrics(MulticlassCounts counts, int topK)
    {
        var totals = counts.Table.Select(row => row.Sum()).ToArray();
        var entropy = -totals.Where(t => t > 0).Sum(t => t * Math.Log(t / counts.Rows)) / counts.Rows;
        LogLoss = counts.LogLosses.Sum() / counts.Rows;
        LogLossReduction = (entropy - LogLoss) / entropy;
        PerClassLogLoss = totals.Select((total, i) => ConfusionMatrix.Ratio(counts.LogLosses[i], total)).ToArray();
        MicroAccuracy = counts.Ranks[0] / counts.Rows;
        MacroAccuracy = totals.Index().Where(t => t.Item > 0).Average(t => counts.Table[t.Index][t.Index] / t.Item);
        TopKPredictionCount = topK;
        TopKAccuracyForAllK = topK == 0 ? null : Enumerable.Range(1, topK).Select(k => counts.Ranks.Take(k).Sum() / counts.Rows).ToArray();
        ConfusionMatrix = new ConfusionMatrix(counts.Table);
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
}

/// <summary>What was counted over the rows. The largest score is the prediction: what PredictedLabel says is not read.</summary>
internal sealed class MulticlassCounts(int classes)
{
    public double[][] Table { get; } = Enumerable.Range(0, classes).Select(_ => new double[classes]).ToArray();

    /// <summary>The sum of the log-losses by true class; the last is that of classes without a score.</summary>
    public double[] LogLosses { get; } = new double[classes + 1];

    /// <summary>How often the true class was ranked 0 (first), 1, …; the last is that of classes without a score.</summary>
    public double[] Ranks { get; } = new double[classes + 1];

    public double Rows { get; private set; }

    public static MulticlassCounts Read(IDataView data, string label, string score, string predictedLabel)
    {
        data.Schema.Require(predictedLabel, "PredictedLabel");
        var (labelColumn, scoreColumn) = (data.Schema.Require(label, "Label"), data.Schema.Require(score, "Score"));
        if (scoreColumn.Type is not VectorDataViewType { Size: > 1 } type || type.ItemType != NumberDataViewType.Single)
            throw SchemaExtensions.Mismatch("score", score, "vector of two or more items of type Single", scoreColumn.Type);
        if (labelColumn.Type != NumberDataViewType.Single && labelColumn.Type is not KeyDataViewType)
            throw SchemaExtensions.Mismatch("label", label, "Single or Key", labelColumn.Type);
        using var cursor = data.GetRowCursor([labelColumn, scoreColumn]);
        var (readLabel, readScores, counts) = (LabelReader.Create(cursor, labelColumn), Values.Reader<float>(cursor, scoreColumn), new MulticlassCounts(type.Size));
        while (cursor.MoveNext())
        {
            var (truth, scores) = (readLabel(), readScores());
            if (truth >= 0 && truth == (int)truth && Array.TrueForAll(scores, float.IsFinite))
                counts.Add((int)truth, scores);
        }
        return counts;
    }

    private void Add(int truth, float[] scores)
    {
        Rows++;
        var isKnown = truth < scores.Length;
        var score = isKnown ? scores[truth] : 0;
        LogLosses[isKnown ? truth : scores.Length] -= Math.Log(Math.Clamp(score, 1e-15f, 1));
        // Of equal scores, the first ranks first.
        Ranks[scores.Where((s, i) => s > score || (s == score && i < truth)).Count()]++;
        if (isKnown)
            Table[truth][Array.IndexOf(scores, scores.Max())]++;
    }
}
