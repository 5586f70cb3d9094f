namespace MlNetBatchNorm.Cli.Tables;

/// <summary>What schema inference found in a column and what it made of it.</summary>
/// <param name="Name">The column.</param>
/// <param name="Kind">What became of it.</param>
/// <param name="Detail">One line for people: the range, the number of categories, or why the column was dropped.</param>
/// <param name="MissingRows">The rows without a value.</param>
/// <param name="FeatureCount">The features made from it.</param>
/// <param name="Categories">The categories, or classes of the label, with their counts; empty for all other columns.</param>
internal sealed record ColumnReport(
    string Name, ColumnKind Kind, string Detail, int MissingRows, int FeatureCount, IReadOnlyList<CategoryCount> Categories)
{
    /// <summary>What was lost in reading the column; null = nothing.</summary>
    public string? Lost { get; init; }
    /// <summary>How its numbers are read, with an example; null where that goes without saying.</summary>
    public string? Reading { get; init; }

    /// <summary>Why it is not taken as numbers although it looks like some, with an example and the cure; null = it does not.</summary>
    public string? Problem { get; init; }
}

/// <summary>What became of a column of the training table.</summary>
internal enum ColumnKind
{
    /// <summary>The column that is predicted.</summary>
    Label,

    /// <summary>One feature: the number itself.</summary>
    Numeric,

    /// <summary>One feature per category, 1 where the row has that category and 0 elsewhere (one-hot).</summary>
    Categorical,

    /// <summary>One feature: the number of the category, for which the network learns a vector.</summary>
    Embedded,

    /// <summary>Features made of the parts of a date.</summary>
    Date,

    /// <summary>Features that count the words of free text.</summary>
    Text,

    /// <summary>No feature, for a reason found in the data.</summary>
    Dropped,

    /// <summary>No feature, because <see cref="TableSchemaOptions.Ignore"/> names it.</summary>
    Ignored,

    /// <summary>No feature: <see cref="TableSchemaOptions.Weight"/> names it as the weight of the rows.</summary>
    Weight,
}

/// <summary>How often a text occurs in a column of the training table.</summary>
/// <param name="Category">The text.</param>
/// <param name="Rows">The rows that have it.</param>
internal sealed record CategoryCount(string Category, int Rows)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Category} ({Rows})";
}
