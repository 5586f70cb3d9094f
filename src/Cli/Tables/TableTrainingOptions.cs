using MlNetBatchNorm.Transforms;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>What to learn from a table, and how.</summary>
internal sealed record TableTrainingOptions
{
    /// <summary>The column to predict.</summary>
    public required string Label { get; init; }

    /// <summary>What kind of prediction. Default: one of two classes.</summary>
    public TaskKind Task { get; init; } = TaskKind.Binary;

    /// <summary>What the table cannot tell by itself.</summary>
    public TableSchemaOptions Schema { get; init; } = new();

    /// <summary>
    /// An architecture as text (<see cref="Trainer.Network.Parse"/>), for networks whose input is only known when the table has been read; null
    /// (the default) = that of <see cref="Network"/>.
    /// </summary>
    public string? Architecture { get; init; }

    /// <summary>
    /// With <see cref="Architecture"/>: the shape of a row, as <c>[1, 28, 28]</c> for an image whose columns are its pixels, channels first; null
    /// (the default) = a plain vector. Columns of numbers that are the same in every row then stay, since they are places in the shape.
    /// </summary>
    public IReadOnlyList<long>? InputShape { get; init; }

    /// <summary>
    /// Whether the whole pipeline is to be exported afterwards (<see cref="TrainedTable.SavePipeline"/>): what stands in the way of that is then
    /// said before training. Default: false.
    /// </summary>
    public bool WholePipeline { get; init; }

    /// <summary>The network and its training; the column names in it, and those of the classes that have weights, are set by the table.</summary>
    public BatchNormNetworkOptions Network { get; init; } = new();
}
