using CsvHelper;
using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>Predictions as a CSV file with a line for each row, in the columns of the task.</summary>
internal static class PredictionTable
{
    /// <summary>Writes predictions as they come.</summary>
    /// <returns>How many there were.</returns>
    public static long Write(string path, IEnumerable<TablePrediction> predictions)
    {
        var rows = 0L;
        Output.WriteText(path, text =>
        {
            using var csv = CsvWriter.Create(text, new CsvWriterOptions(), leaveOpen: true);
            foreach (var prediction in predictions)
            {
                if (rows == 0)
                {
                    foreach (var name in prediction.Task.PredictionColumns(prediction.Classes)) csv.WriteField(name);
                    csv.EndRecord();
                }

                for (var row = 0; row < prediction.RowCount; row++)
                {
                    prediction.Task.WritePrediction(csv, prediction, row);
                    csv.EndRecord();
                }

                rows += prediction.RowCount;
            }
        });
        return rows;
    }
}
