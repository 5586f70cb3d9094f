namespace Microsoft.ML.Data;

public sealed class MulticlassClassificationMetrics
{
    internal MulticlassClassificationMetrics(MulticlassCounts counts, int topK, IReadOnlyList<string> classNames)
    {
        var table = counts.Table;
        var totals = table.Select(row => row.Sum()).ToArray();
        LogLoss = counts.LogLosses.Sum() / counts.Rows;
        PerClassLogLoss = totals.Select((total, i) => ConfusionMatrix.Ratio(counts.LogLosses[i], total)).ToArray();
        var entropy = -totals.Where(t => t > 0).Sum(t => t * Math.Log(t / counts.Rows)) / counts.Rows;
        LogLossReduction = (entropy - LogLoss) / entropy;
        MicroAccuracy = ConfusionMatrix.Ratio(counts.Ranks[0], counts.Rows);
        MacroAccuracy = table.Select((row, i) => (Hits: row[i], Total: totals[i])).Where(c => c.Total > 0)
            .Select(c => c.Hits / c.Total).DefaultIfEmpty().Average();
        TopKPredictionCount = topK;
        if (topK > 0)
            TopKAccuracyForAllK = Enumerable.Range(1, Math.Min(topK, counts.Ranks.Length)).Select(k => counts.Ranks.Take(k).Sum() / counts.Rows).ToArray();
        ConfusionMatrix = new ConfusionMatrix(table, classNames);
    }

    /// <summary>In nats per row, as in the real one (the binary log-loss is in bits).</summary>
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

/// <summary>What was counted over the rows. The largest score is the prediction: the column PredictedLabel is not read.</summary>
internal sealed class MulticlassCounts(int classes)
{
    private const float SmallestProbability = 1e-15f;

    public double[][] Table { get; } = Enumerable.Range(0, classes).Select(_ => new double[classes]).ToArray();

    /// <summary>The sum of the log-losses by true class; the last is that of classes without a score.</summary>
    public double[] LogLosses { get; } = new double[classes + 1];

    /// <summary>How often the true class was ranked 0 (first), 1, …; the last is that of classes without a score.</summary>
    public double[] Ranks { get; } = new double[classes + 1];

    public double Rows { get; private set; }

    public static MulticlassClassificationMetrics Read(IDataView data, string label, string score, int topK)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(topK);
        var (labelColumn, scoreColumn) = (data.Schema.Require(label, "Label"), data.Schema.Require(score, "Score"));
        if (scoreColumn.Type is not VectorDataViewType { Size: > 1 } type || type.ItemType != NumberDataViewType.Single)
            throw SchemaExtensions.Mismatch("score", score, "vector of two or more items of type Single", scoreColumn.Type);
        if (labelColumn.Type != NumberDataViewType.Single && labelColumn.Type is not KeyDataViewType)
            throw SchemaExtensions.Mismatch("label", label, "Single or Key", labelColumn.Type);
        using var cursor = data.GetRowCursor([labelColumn, scoreColumn]);
        var readLabel = LabelReader.Create(cursor, labelColumn);
        var readScore = cursor.GetGetter<VBuffer<float>>(scoreColumn);
        VBuffer<float> vector = default;
        var scores = new float[type.Size];
        var counts = new MulticlassCounts(type.Size);
        while (cursor.MoveNext())
        {
            readScore(ref vector);
            vector.CopyTo(scores);
            var truth = readLabel();
            if (truth >= 0 && truth == (int)truth && Array.TrueForAll(scores, float.IsFinite))
                counts.Add((int)truth, scores);
        }
        return new MulticlassClassificationMetrics(counts, topK, NamesOf(scoreColumn, type.Size));
    }

    private static string[] NamesOf(DataViewSchema.Column score, int classes)
    {
        if (!score.HasSlotNames())
            return Enumerable.Range(0, classes).Select(i => $"{i}").ToArray();
        VBuffer<ReadOnlyMemory<char>> names = default;
        score.GetSlotNames(ref names);
        return names.DenseValues().Select(n => n.ToString()).ToArray();
    }

    private void Add(int truth, float[] scores)
    {
        Rows++;
        var isKnown = truth < scores.Length;
        var score = isKnown ? scores[truth] : 0;
        LogLosses[isKnown ? truth : scores.Length] -= Math.Log(isKnown ? Math.Min(1, Math.Max(SmallestProbability, score)) : SmallestProbability);
        // Of equal scores, the first ranks first.
        Ranks[scores.Where((s, i) => s > score || (s == score && i < truth)).Count()]++;
        if (isKnown)
            Table[truth][Array.IndexOf(scores, scores.Max())]++;
    }
}
