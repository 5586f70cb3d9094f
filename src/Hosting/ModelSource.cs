namespace MlNetBatchNorm.Hosting;

/// <summary>All that a loaded model depends on and that can change while the service runs: equal sources give equal models.</summary>
internal sealed record ModelSource(string Path, FileStamp Stamp, string Device, int Threads, int BatchSize, string Outputs)
{
    public static ModelSource Of(OnnxScorerServiceOptions options) => new(
        options.ModelPath,
        FileStamp.Of(options.ModelPath),
        options.Device,
        options.Threads,
        options.BatchSize,
        string.Join('\n', options.Outputs));
}
