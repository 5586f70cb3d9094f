namespace MlNetBatchNorm.Cli.Tables;

/// <summary>What <see cref="TableSchema.Infer"/> cannot know from the table itself.</summary>
internal sealed record TableSchemaOptions
{
    /// <summary>
    /// Columns to treat as categories even if all their values are numbers (codes, say). <see cref="MaxCategories"/> does not apply to
    /// them.
    /// </summary>
    public IReadOnlyList<string> Categorical { get; init; } = [];

    /// <summary>Columns to make no features from.</summary>
    public IReadOnlyList<string> Ignore { get; init; } = [];

    /// <summary>A column with a weight from 0 for each row, from which no feature is made; null (the default) = all rows count the same.</summary>
    public string? Weight { get; init; }

    /// <summary>Whether columns of numbers that are the same in every row stay. Default: false, they can tell nothing.</summary>
    public bool KeepConstants { get; init; }

    /// <summary>The positive class of a binary label; null to choose it by name or rarity. Not used for the other tasks.</summary>
    public string? Positive { get; init; }

    /// <summary>A text column with more different texts than this is dropped. At least 2; 100 unless set.</summary>
    public int MaxCategories { get; init; } = 100;
}
