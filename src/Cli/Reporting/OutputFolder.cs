using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>The folder of <c>--out</c>.</summary>
internal static class OutputFolder
{
    /// <summary>Called before the work, not after it. The folder itself is made at the end: a training that fails leaves nothing behind.</summary>
    /// <exception cref="IOException">There is a file of that name.</exception>
    public static void RequireNoFile(string folder)
    {
        if (File.Exists(folder)) throw new IOException($"'{folder}' is a file; --out needs a folder, which is made if it is not there.");
    }

    /// <summary>Where a training that is to be resumed keeps its state.</summary>
    public static CheckpointOptions Checkpoint(string folder) => new(Path.Combine(folder, "training.checkpoint"));
}
