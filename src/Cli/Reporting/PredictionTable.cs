using CsvHelper;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Files;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>Predictions as a CSV file with a line for each row, in the columns of the task.</summary>
internal static class PredictionTable
{
    public static void Write(string path, TablePrediction prediction) => AtomicFile.Write(path, stream =>
    {
        using var text = new StreamWriter(stream, leaveOpen: true);
        using var csv = CsvWriter.Create(text, new CsvWriterOptions(), leaveOpen: true);
        foreach (var name in prediction.Task.PredictionColumns(prediction.Classes)) csv.WriteField(name);
        csv.EndRecord();
        for (var row = 0; row < prediction.RowCount; row++)
        {
            prediction.Task.WritePrediction(csv, prediction, row);
            csv.EndRecord();
        }
    });
}
