using CsvHelper;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Transforms;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>
/// Predictions as a CSV file with a line for each row: <c>PredictedLabel,Probability,Score</c> for two classes, <c>PredictedLabel</c> and a
/// column <c>Probability.CLASS</c> for each class for several, <c>Score</c> for regression.
/// </summary>
internal static class PredictionTable
{
    public static void Write(string path, TablePrediction prediction) => AtomicFile.Write(path, stream =>
    {
        using var text = new StreamWriter(stream, leaveOpen: true);
        using var csv = CsvWriter.Create(text, new CsvWriterOptions(), leaveOpen: true);
        foreach (var name in Header(prediction)) csv.WriteField(name);
        csv.EndRecord();
        for (var row = 0; row < prediction.RowCount; row++)
        {
            if (prediction.Task != TaskKind.Regression) csv.WriteField(prediction.PredictedClass(row));
            foreach (var probability in prediction.ClassProbabilities(row)) csv.WriteField(probability);
            if (prediction.Task != TaskKind.Multiclass) csv.WriteField(prediction.Scores[row]);
            csv.EndRecord();
        }
    });

    private static IEnumerable<string> Header(TablePrediction prediction) => prediction.Task switch
    {
        TaskKind.Binary => ["PredictedLabel", "Probability", "Score"],
        TaskKind.Multiclass => ["PredictedLabel", .. prediction.Classes.Select(name => $"Probability.{name}")],
        _ => ["Score"],
    };
}
