using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>Predictions as a file with a line for each row: the columns that were kept, and those of the task.</summary>
internal static class PredictionTable
{
    /// <summary>Writes predictions as they come.</summary>
    /// <param name="path">The file; its name says whether it is CSV, JSON lines (<c>.jsonl</c>) or Parquet (<c>.parquet</c>).</param>
    /// <param name="predictions">The predictions of some rows after the others.</param>
    /// <returns>How many rows there were.</returns>
    /// <exception cref="TableException">A column that was kept is called like one of the predictions.</exception>
    public static long Write(string path, IEnumerable<TablePrediction> predictions)
    {
        var rows = 0L;
        if (PredictionWriter.IsParquet(path))
            Output.Write(path, stream => rows = Write(predictions, columns => new ParquetPredictionWriter(stream, columns)));
        else Output.WriteText(path, text => rows = Write(predictions, columns => PredictionWriter.Create(text, path, columns)));
        return rows;
    }

    private static long Write(IEnumerable<TablePrediction> predictions, Func<string[], PredictionWriter> open)
    {
        var rows = 0L;
        PredictionWriter? lines = null;
        try
        {
            foreach (var prediction in predictions)
            {
                lines ??= open(Columns(prediction));
                for (var row = 0; row < prediction.RowCount; row++)
                {
                    foreach (var kept in prediction.Kept) lines.Write(kept.IsMissing(row) ? null : kept[row]);
                    prediction.Task.WritePrediction(lines, prediction, row);
                    lines.EndRow();
                }

                rows += prediction.RowCount;
            }
        }
        finally
        {
            lines?.Dispose();
        }

        return rows;
    }

    private static string[] Columns(TablePrediction prediction)
    {
        string[] ours = [.. prediction.Task.PredictionColumns(prediction.Classes)];
        string[] kept = [.. prediction.Kept.Select(column => column.Name)];
        if (Array.Find(kept, ours.Contains) is { } both)
            throw new TableException(
                $"column {NameList.Quote(both)} cannot be kept: the predictions have one of that name; rename it in the table.");
        return [.. kept, .. ours];
    }
}
