namespace MlNetBatchNorm;

/// <summary>
/// Where a training keeps its state, so that it can go on after it was stopped: by Ctrl+C, a crash, or the end of a paid hour. What is in
/// the file: docs/checkpoints.md.
/// </summary>
public sealed record CheckpointOptions
{
    /// <summary>Says where.</summary>
    /// <param name="path">The file; see <see cref="Path"/>.</param>
    public CheckpointOptions(string path) => Path = path;

    /// <summary>
    /// The file; its folder is made if it is not there. It is replaced as a whole after an epoch and removed when all is done: by
    /// <see cref="NetworkTrainer.Train"/> behind the last epoch, by <c>Fit</c> when the network is also folded and compared. See
    /// <see cref="Keep"/>.
    /// </summary>
    public string Path { get; }

    /// <summary>Epochs from one checkpoint to the next, from 1. Default: 1.</summary>
    public int EveryEpochs { get; init; } = 1;

    /// <summary>
    /// Whether to go on from the file, if it is there. On the CPU the network is then, bit for bit, the one that an uninterrupted training
    /// gives. Default: true. Otherwise training begins anew, and replaces the file.
    /// <para>
    /// The bits depend on the number of threads, so a checkpoint of another number than there would be now is refused; with
    /// <see cref="TrainingOptions.Threads"/> one either takes the number that it was made with, or goes on with another all the same, which
    /// <see cref="TrainingWarningKind.OtherThreads"/> then says.
    /// </para>
    /// </summary>
    public bool Resume { get; init; } = true;

    /// <summary>
    /// Whether the file stays when the training is done, so that nothing is lost if what comes next fails: testing, saving, a full disk.
    /// The same training then goes on from it at once, behind its last epoch. <see cref="Remove"/> is for when the results are safe.
    /// Default: false.
    /// </summary>
    public bool Keep { get; init; }

    /// <summary>Checks every value.</summary>
    internal void Validate()
    {
        ArgumentException.ThrowIfNullOrEmpty(Path);
        ArgumentOutOfRangeException.ThrowIfLessThan(EveryEpochs, 1, nameof(EveryEpochs));
    }

    /// <summary>Removes the file, if it is there.</summary>
    /// <exception cref="IOException">It cannot be removed.</exception>
    public void Remove()
    {
        File.Delete(Path);
        File.Delete($"{Path}.data");
    }
}
