namespace MlNetBatchNorm.Transforms.Tables;

/// <summary>What to learn from a table, and how.</summary>
public sealed record TableTrainingOptions
{
    /// <summary>The column to predict.</summary>
    public required string Label { get; init; }

    /// <summary>What kind of prediction. Default: one of two classes.</summary>
    public TaskKind Task { get; init; } = TaskKind.Binary;

    /// <summary>What the table cannot tell by itself.</summary>
    public TableSchemaOptions Schema { get; init; } = new();

    /// <summary>The network and its training; the column names in it are set by the table.</summary>
    public BatchNormNetworkOptions Network { get; init; } = new();
}
