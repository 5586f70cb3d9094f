using CsvHelper;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Files;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>
/// <c>outOfFold.csv</c>: for every row to learn from, by its line in the table, what the member of the ensemble says that did not learn
/// from it. Thresholds, costs and residuals can be looked at on these without giving up rows.
/// </summary>
internal static class OutOfFoldTable
{
    private const string FileName = "outOfFold.csv";

    /// <summary>Writes the file; null where the network has no such predictions.</summary>
    /// <param name="trained">What training gave.</param>
    /// <param name="learned">The table that was learned from.</param>
    /// <param name="folder">The folder, which is there.</param>
    /// <returns>The path of the file.</returns>
    public static string? Write(TrainedTable trained, CsvTable learned, string folder)
    {
        if (trained.Network.Model.OutOfFold is not { } predicted || predicted.Rows.Count != learned.RowCount) return null;
        var path = Path.Combine(folder, FileName);
        var label = trained.Schema.Label;
        var prediction = new TablePrediction(
            label.Task,
            label.Classes,
            predicted.Rows.Count,
            label.Task.ScoredValues(predicted.Predictions.ToArray()),
            predicted.Rows.TargetOffset);
        var labels = learned.Column(label.Column);
        AtomicFile.Write(path, stream =>
        {
            using var line = new CsvLinesWriter(
                CsvWriter.Create(stream, new CsvWriterOptions(), leaveOpen: true),
                ["Line", "Fold", label.Column, .. label.Task.PredictionColumns(label.Classes)]);
            for (var row = 0; row < prediction.RowCount; row++)
            {
                line.Write((decimal)learned.LineOf(row));
                line.Write((decimal)(predicted.Folds.Span[row] + 1));
                line.Write(labels[row]);
                label.Task.WritePrediction(line, prediction, row);
                line.EndRow();
            }
        });
        return path;
    }
}
