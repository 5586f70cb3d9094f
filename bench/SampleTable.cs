using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Bench;

/// <summary>A table of <c>sample-data</c>.</summary>
/// <param name="File">The file's name.</param>
/// <param name="Label">The column to predict.</param>
/// <param name="Task">What kind of prediction.</param>
internal sealed record SampleTable(string File, string Label, LearningTask Task)
{
    /// <summary>One for each task.</summary>
    public static IReadOnlyList<SampleTable> All { get; } =
    [
        new("churn.csv", "churn", LearningTask.Binary),
        new("letters.csv", "lettr", LearningTask.Multiclass),
        new("ames.csv", "Sale_Price", LearningTask.Regression),
    ];

    /// <summary>The rows to learn from and those to test on, as the tool divides them by itself.</summary>
    public (CsvTable Training, CsvTable Test) Read()
    {
        var split = TableSplit.Create(
            CsvTable.Read(Repository.PathOf("sample-data", File)), Task == LearningTask.Regression ? null : Label, new SplitOptions());
        return (split.Training, split.Test.Whole!);
    }
}
