using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataLocation = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataLocation;

namespace MlNetBatchNorm.Onnx.Execution.Sessions;

/// <summary>A model in a file or in memory, as it is given to ONNX Runtime.</summary>
/// <param name="Path">The file; null = in memory.</param>
/// <param name="Bytes">The bytes; null = in a file.</param>
internal sealed record StoredModel(string? Path, byte[]? Bytes)
{
    /// <summary>Its nodes without its weights; null where ONNX Runtime has to say what is wrong with it.</summary>
    public ModelProto? Outline()
    {
        try
        {
            return Path is null ? ModelOutline.Of(Bytes) : ModelOutline.OfFile(Path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The same function, in a form that ONNX Runtime computes with less rounding (<see cref="CenteredBatchNorm"/>).</summary>
    /// <param name="outline">Its outline.</param>
    public StoredModel Centered(ModelProto outline)
    {
        // External data is found beside a file, and nowhere for a model that was changed.
        if (CenteredBatchNorm.In(outline).Count == 0 || ExternalData.Tensors(outline.Graph).Any(IsElsewhere)) return this;
        try
        {
            var whole = Path is null ? ModelFile.Parse(Bytes!) : ModelFile.Read(Path);
            return CenteredBatchNorm.Apply(whole) ? new(null, whole.ToByteArray()) : this;
        }
        catch (InvalidModelException)
        {
            return this;
        }
    }

    public InferenceSession Open(SessionOptions options) => Path is null ? new(Bytes!, options) : new(Path, options);

    // What an outline leaves out has no place where it lies.
    private static bool IsElsewhere(TensorProto tensor) => tensor.DataLocation == DataLocation.External && tensor.ExternalData.Count > 0;
}

/// <summary>A model that can be loaded more than once, and what tells it from others in this process.</summary>
internal sealed class ReloadableModel
{
    private const int LargestOnEachCore = 1 << 20;
    private const int LargestTwice = 1 << 26;

    private readonly string? _path;
    private readonly byte[]? _bytes;

    private ReloadableModel(string identity, string? path, byte[]? bytes)
    {
        Identity = identity;
        _path = path;
        _bytes = bytes;
    }

    public string Identity { get; }

    /// <summary>Whether it may be in memory a second time, for the way in which batches run.</summary>
    public bool MayBeTwice => _bytes is { Length: <= LargestTwice };

    /// <summary>The threads that share an operator where nothing is measured: one for a model that is small, otherwise all cores.</summary>
    public int ThreadsUnmeasured => MayBeTwice ? 1 : ExecutionOptions.AllCores;

    /// <summary>The sessions that pay: one for each core where copies of the model are small enough for the cores' own caches.</summary>
    public int SessionsThatPay => _bytes is { Length: <= LargestOnEachCore } ? Environment.ProcessorCount : 1;

    public static ReloadableModel Of(byte[] bytes)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        var content = new HashCode();
        content.AddBytes(bytes);
        return new($"{bytes.Length} {content.ToHashCode()}", null, bytes);
    }

    public static ReloadableModel Of(ModelProto model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return Of(model.ToByteArray());
    }

    /// <summary>A model in a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="sessions">
    /// The most sessions that are wanted at a time, besides one for the other way to run; null = as many as pay.
    /// </param>
    /// <param name="free">Whether it may run in more than one way.</param>
    public static ReloadableModel Of(string path, int? sessions, bool free)
    {
        ArgumentNullException.ThrowIfNull(path);
        var file = new FileInfo(path);
        if (!file.Exists) return new(path, path, null);
        var identity = $"{file.FullName} {file.Length} {file.LastWriteTimeUtc.Ticks}";

        // A file may be another one by the time of the second loading, so it is read once. External data is found only beside a file; a
        // model that has some says "location" somewhere.
        var largest = sessions > 1 ? int.MaxValue : free ? LargestTwice : sessions is null ? LargestOnEachCore : 0;
        if (file.Length <= largest)
        {
            var bytes = File.ReadAllBytes(path);
            if (bytes.AsSpan().IndexOf("location"u8) < 0) return new(identity, path, bytes);
        }

        return new(identity, path, null);
    }

    /// <summary>The model's message; null where it takes more bytes than that.</summary>
    /// <exception cref="InvalidModelException">It is not a model, or its external data is not there.</exception>
    public ModelProto? Read(long most)
    {
        if (_bytes is not null) return _bytes.Length <= most ? ModelFile.Parse(_bytes) : null;
        return new FileInfo(_path!).Length <= most ? ModelFile.Read(_path!) : null;
    }

    public OnnxSession Open(ExecutionOptions options) =>
        _bytes is null ? OnnxSession.Load(_path!, options)
        : _path is null ? OnnxSession.Load(_bytes, options)
        : OnnxSession.Load(_bytes, options with { Name = options.Name ?? $"'{_path}'" });
}
