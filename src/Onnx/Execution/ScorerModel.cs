namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>A model that can be loaded more than once, and what tells it from others in this process.</summary>
internal sealed class ScorerModel
{
    private const int LargestOnEachCore = 1 << 20;
    private const int LargestTwice = 1 << 26;

    private readonly string? _path;
    private readonly byte[]? _bytes;

    private ScorerModel(string identity, string? path, byte[]? bytes, bool isLarge)
    {
        Identity = identity;
        IsLarge = isLarge;
        _path = path;
        _bytes = bytes;
    }

    public string Identity { get; }

    /// <summary>Whether it is too large to be in memory a second time, for the way in which batches run.</summary>
    public bool IsLarge { get; }

    /// <summary>The sessions that pay: one for each core where copies of the model are small enough for the cores' own caches.</summary>
    public int SessionsThatPay => _bytes is { Length: <= LargestOnEachCore } ? Environment.ProcessorCount : 1;

    public static ScorerModel Of(byte[] bytes)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        var content = new HashCode();
        content.AddBytes(bytes);
        return new($"{bytes.Length} {content.ToHashCode()}", null, bytes, bytes.Length > LargestTwice);
    }

    public static ScorerModel Of(string path, int? sessions)
    {
        ArgumentNullException.ThrowIfNull(path);
        var file = new FileInfo(path);
        if (!file.Exists) return new(path, path, null, isLarge: false);
        var identity = $"{file.FullName} {file.Length} {file.LastWriteTimeUtc.Ticks}";

        // A file may be another one by the time of the second loading, so it is read once. External data is found only beside a file; a model
        // that has some says "location" somewhere.
        if (sessions > 1 || (sessions is null && file.Length <= LargestOnEachCore))
        {
            var bytes = File.ReadAllBytes(path);
            if (bytes.AsSpan().IndexOf("location"u8) < 0) return new(identity, path, bytes, isLarge: false);
            return new(identity, path, null, isLarge: true);
        }

        return new(identity, path, null, file.Length > LargestTwice);
    }

    public OnnxSession Open(SessionSettings settings) =>
        _bytes is null ? OnnxSession.Load(_path!, settings)
        : _path is null ? OnnxSession.Load(_bytes, settings)
        : OnnxSession.Load(_bytes, settings with { Name = settings.Name ?? $"'{_path}'" });
}
