using System.Globalization;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Figures;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Trainer;
using MlNetBatchNorm.Transforms;
using MlNetBatchNorm.Transforms.Tables;

namespace MlNetBatchNorm.Bench;

/// <summary>
/// What each precision costs on the tables of <c>sample-data</c>: networks with the tool's defaults (options, seed, every fifth row to test on), and
/// their figures on the test rows. It takes about three minutes.
/// </summary>
internal static class PrecisionTables
{
    private static readonly (string File, string Label, TaskKind Task)[] Tables =
    [
        ("churn.csv", "churn", TaskKind.Binary),
        ("letters.csv", "lettr", TaskKind.Multiclass),
        ("ames.csv", "Sale_Price", TaskKind.Regression),
    ];

    public static void Print()
    {
        var folder = Find("sample-data");
        Console.WriteLine("| table | precision | file, bytes | test figures | worst loss | largest difference |");
        Console.WriteLine("| --- | --- | --- | --- | --- | --- |");
        foreach (var (file, label, task) in Tables)
        {
            var (training, test) = TableSplit.Every(CsvTable.Read(Path.Combine(folder, file)), 0.2);
            foreach (var precision in Enum.GetValues<ModelPrecision>()) Print(file, training, test, label, task, precision);
        }
    }

    private static void Print(string file, CsvTable training, CsvTable test, string label, TaskKind task, ModelPrecision precision)
    {
        // Nothing is refused: a loss of all is allowed.
        var network = new BatchNormNetworkOptions { Precision = precision, PrecisionLoss = 1, Device = Device.Cpu };
        using var trained = TableTrainer.Train(training, test, new TableTrainingOptions { Label = label, Task = task, Network = network });
        var figures = trained.TestMetrics.Where(figure => figure.Key is "auc" or "accuracy" or "macroAccuracy" or "rmse").ToList();
        var worst = FigureLoss.Of(trained.Float32TestMetrics, trained.TestMetrics).Where(loss => figures.Exists(figure => figure.Key == loss.Key)).Max(loss => loss.Value);
        var reduced = trained.Network.Export.Reduced?.Check;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {file} | {PrecisionNames.NameOf(precision)} | {trained.Network.Export.Deployed.ByteCount:N0} | "
            + $"{string.Join(", ", figures.Select(figure => $"{Figure.Name(figure.Key)} {Figure.Value(figure.Key, figure.Value)}"))} | "
            + $"{(reduced is null ? string.Empty : $"{worst:0.0000}")} | {(reduced is null ? string.Empty : $"{reduced.Comparison!.LargestRelative:0.0e+0}")} |"));
    }

    // Not the copy beside the program, which has one of them.
    private static string Find(string name)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var found = Path.Combine(folder.FullName, name);
            if (Array.TrueForAll(Tables, table => File.Exists(Path.Combine(found, table.File)))) return found;
        }

        throw new DirectoryNotFoundException($"There is no folder '{name}' with the tables above '{AppContext.BaseDirectory}'.");
    }
}
