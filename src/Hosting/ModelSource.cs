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

/// <summary>
/// What can be seen of a file without reading it. Looking at it now and then works where notifications do not: network drives, volumes of
/// containers, links that are pointed elsewhere.
/// </summary>
/// <param name="Length">Its size in bytes; -1 if there is no such file.</param>
/// <param name="Written">When it was last written.</param>
/// <param name="Created">When it was created: another file put in its place has another time.</param>
internal readonly record struct FileStamp(long Length, DateTime Written, DateTime Created)
{
    public static FileStamp Of(string path)
    {
        var file = new FileInfo(path);
        // Of a link, the file that it leads to.
        if (file.LinkTarget is not null) file = (FileInfo?)file.ResolveLinkTarget(returnFinalTarget: true) ?? file;
        return file.Exists ? new FileStamp(file.Length, file.LastWriteTimeUtc, file.CreationTimeUtc) : new FileStamp(-1, default, default);
    }
}
