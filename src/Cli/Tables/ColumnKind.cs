namespace MlNetBatchNorm.Cli.Tables;

/// <summary>What became of a column of the training table.</summary>
internal enum ColumnKind
{
    /// <summary>The column that is predicted.</summary>
    Label,

    /// <summary>One feature: the number itself.</summary>
    Numeric,

    /// <summary>One feature per category, 1 where the row has that category and 0 elsewhere (one-hot).</summary>
    Categorical,

    /// <summary>No feature, for a reason found in the data.</summary>
    Dropped,

    /// <summary>No feature, because <see cref="TableSchemaOptions.Ignore"/> names it.</summary>
    Ignored,

    /// <summary>No feature: <see cref="TableSchemaOptions.Weight"/> names it as the weight of the rows.</summary>
    Weight,
}
