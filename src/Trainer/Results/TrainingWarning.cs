namespace MlNetBatchNorm;

/// <summary>Something about a training that works but probably not as meant.</summary>
public sealed class TrainingWarning
{
    internal TrainingWarning(TrainingWarningKind kind, string? layer, string message) => (Kind, Layer, Message) = (kind, layer, message);

    /// <summary>What it is about.</summary>
    public TrainingWarningKind Kind { get; }

    /// <summary>The layer that it is about, by its name in the network; null when it is about all of them.</summary>
    public string? Layer { get; }

    /// <summary>What was found, what it does and what to do about it.</summary>
    public string Message { get; }

    /// <inheritdoc/>
    public override string ToString() => Message;
}

/// <summary>What a <see cref="TrainingWarning"/> is about.</summary>
public enum TrainingWarningKind
{
    /// <summary>A batch normalization gets fewer than 8 values of a channel: its statistics are mostly noise.</summary>
    SmallBatch,

    /// <summary>
    /// A dropout stands in front of a batch normalization, whose running variance is then not that of inference (Li et al. 2018, arXiv
    /// 1801.05134).
    /// </summary>
    DropoutBeforeBatchNorm,

    /// <summary>The running statistics keep nothing but the last mini-batch's.</summary>
    LastBatchStatistics,

    /// <summary>The exported statistics are far from those of the training rows under the final weights.</summary>
    StatisticsFarFromPopulation,

    /// <summary>Rows were left out because they cannot be learned from.</summary>
    RowsLeftOut,

    /// <summary>A checkpoint goes on with another number of threads, and so to other last digits.</summary>
    OtherThreads,
}
