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

    /// <summary>Whether it was found by looking into the training; see <see cref="TrainingOptions.Diagnostics"/>.</summary>
    internal bool IsOfDiagnostics => Kind is TrainingWarningKind.DeadUnits or TrainingWarningKind.SaturatedUnits
        or TrainingWarningKind.VanishingGradients or TrainingWarningKind.ExplodingGradients or TrainingWarningKind.UnusualUpdates;

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

    /// <summary>The classes are keys without values, which ML.NET counts from 1 whatever they are called.</summary>
    KeysWithoutValues,

    /// <summary>
    /// The numbers to predict lie so far from zero, in relation to their spread, that ML.NET's evaluator cannot tell how well they are
    /// explained.
    /// </summary>
    LabelFarFromZero,

    /// <summary>A checkpoint goes on with another number of threads, and so to other last digits.</summary>
    OtherThreads,

    /// <summary>A feature or a label has more digits than float32 keeps, in which networks take and give numbers.</summary>
    DigitsLost,

    /// <summary>Rows are more than the memory for them, and are kept in a temporary file.</summary>
    RowsInFile,

    /// <summary>Many units of a layer give 0, or the same end of a sigmoid or tanh, for every row, and so hardly learn.</summary>
    DeadUnits,

    /// <summary>Much of what a layer gives is at the ends of its sigmoid or tanh, where hardly any gradient comes back.</summary>
    SaturatedUnits,

    /// <summary>The gradient that reaches the first layer is a small part of that at the last one.</summary>
    VanishingGradients,

    /// <summary>The gradient that reaches the first layer is many times that at the last one.</summary>
    ExplodingGradients,

    /// <summary>Steps change the weights of a layer by too much, or by nothing.</summary>
    UnusualUpdates,

    /// <summary>A checkpoint goes on with another number of ranks (<see cref="Communicator"/>), and so another order of rows.</summary>
    OtherRanks,

    /// <summary>
    /// There are so many features and so few rows that the first layer has fewer units than the preset says, and the training fewer epochs.
    /// </summary>
    NarrowFirstLayer,
}
