using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Bench;

/// <summary>A table that the default network was chosen on: what it does on these says less than what it does on others.</summary>
/// <param name="Name">Its name, and its file's.</param>
/// <param name="Label">The column to predict.</param>
/// <param name="Task">What kind of prediction.</param>
/// <param name="IsSample">Whether it is in <c>sample-data</c>; the others come from <c>scripts/tables.sh</c>.</param>
internal sealed record DevelopmentTable(string Name, string Label, LearningTask Task, bool IsSample = false)
{
    private const double TestShare = 0.2;

    /// <summary>All of them.</summary>
    public static IReadOnlyList<DevelopmentTable> All { get; } =
    [
        new("churn", "churn", LearningTask.Binary, IsSample: true),
        new("mlc_churn", "churn", LearningTask.Binary),
        new("attrition", "Attrition", LearningTask.Binary),
        new("cells", "class", LearningTask.Binary),
        new("letters", "lettr", LearningTask.Multiclass, IsSample: true),
        new("income", "INCOME", LearningTask.Multiclass),
        new("vehicle", "Class", LearningTask.Multiclass),
        new("ames", "Sale_Price", LearningTask.Regression, IsSample: true),
        new("concrete", "compressive_strength", LearningTask.Regression),
        new("sacramento", "price", LearningTask.Regression),
        new("diseases", "count", LearningTask.Regression),
        new("diamonds", "price", LearningTask.Regression),
    ];

    /// <summary>Where it is.</summary>
    public string Path => IsSample
        ? Repository.PathOf("sample-data", $"{Name}.csv")
        : Repository.PathOf("data", "tables", $"{Name}.csv");

    /// <summary>Its measures, the first of which ranks: AUC, accuracy or RMSE, then log-loss or MAE.</summary>
    public IReadOnlyList<Metric> Measures => MeasuresOf(Task);

    /// <summary>The two measures of a task.</summary>
    public static IReadOnlyList<Metric> MeasuresOf(LearningTask task) => task switch
    {
        LearningTask.Binary => [Metric.AreaUnderRocCurve, Metric.LogLoss],
        LearningTask.Multiclass => [Metric.MicroAccuracy, Metric.LogLoss],
        _ => [Metric.RootMeanSquaredError, Metric.MeanAbsoluteError],
    };

    /// <summary>The rows to learn from, and to test on every fifth from the first.</summary>
    /// <exception cref="FileNotFoundException">It has not been fetched.</exception>
    public (CsvTable Training, CsvTable Test) Read() => File.Exists(Path)
        ? TableSplit.Every(CsvTable.Read(Path), TestShare)
        : throw new FileNotFoundException(
            $"There is no {Path}: fetch it by scripts/tables.sh, or name tables that are there by --tables "
            + $"({string.Join(',', All.Where(table => table.IsSample).Select(table => table.Name))} are in sample-data).");
}
