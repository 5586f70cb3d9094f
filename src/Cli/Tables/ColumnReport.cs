namespace MlNetBatchNorm.Cli.Tables;

/// <summary>What schema inference found in a column and what it made of it.</summary>
/// <param name="Name">The column.</param>
/// <param name="Kind">What became of it.</param>
/// <param name="Detail">One line for people: the range, the number of categories, or why the column was dropped.</param>
/// <param name="MissingRows">The rows without a value.</param>
/// <param name="FeatureCount">The features made from it.</param>
/// <param name="Categories">The categories, or classes of the label, with their counts; empty for numbers and dropped columns.</param>
internal sealed record ColumnReport(
    string Name, ColumnKind Kind, string Detail, int MissingRows, int FeatureCount, IReadOnlyList<CategoryCount> Categories);
