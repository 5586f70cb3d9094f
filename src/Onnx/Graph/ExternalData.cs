using Google.Protobuf;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// Constants whose elements lie in a file beside the model, because a protobuf message ends at 2 GB. Only files in the model's own folder
/// (or below it) are read: a model from a stranger must not be able to name any other.
/// </summary>
internal static class ExternalData
{
    // Small constants (shapes, axes) stay in the model: runtimes need them before they open the data.
    private const int SmallestExternal = 1024;

    /// <summary>Loads all external constants into the model.</summary>
    /// <param name="model">The model; its external constants become ordinary ones.</param>
    /// <param name="folder">The folder of the model's file.</param>
    /// <exception cref="InvalidModelException">A location outside of the folder, a missing file, or one that is too short.</exception>
    public static void Load(ModelProto model, string folder)
    {
        var files = new Dictionary<string, DataFile>(StringComparer.Ordinal);
        foreach (var tensor in Tensors(model.Graph).Where(tensor => tensor.DataLocation == TensorProto.Types.DataLocation.External))
        {
            tensor.RawData = Read(tensor, folder, files);
            tensor.ExternalData.Clear();
            tensor.ClearDataLocation();
        }
    }

    /// <summary>A copy of the model whose large constants refer to a file, and the bytes of that file in order.</summary>
    /// <param name="model">The model; it is left as it is.</param>
    /// <param name="location">The file's name, as the model gives it.</param>
    public static (ModelProto Model, IReadOnlyList<ByteString> Data) Split(ModelProto model, string location)
    {
        var copy = model.Clone();
        var data = new List<ByteString>();
        long offset = 0;
        foreach (var tensor in copy.Graph.Initializer.Where(tensor => tensor.RawData.Length >= SmallestExternal))
        {
            var bytes = tensor.RawData;
            data.Add(bytes);
            tensor.ClearRawData();
            tensor.DataLocation = TensorProto.Types.DataLocation.External;
            Add(tensor, "location", location);
            Add(tensor, "offset", $"{offset}");
            Add(tensor, "length", $"{bytes.Length}");
            offset += bytes.Length;
        }

        return (copy, data);
    }

    /// <summary>All constants of a graph and its subgraphs: initializers and tensors in attributes.</summary>
    public static IEnumerable<TensorProto> Tensors(GraphProto graph)
    {
        foreach (var tensor in graph.Initializer) yield return tensor;
        for (var i = 0; i < graph.Node.Count; i++)
        {
            var node = graph.Node[i];
            if (node.Attribute.Count == 0) continue;
            foreach (var attribute in node.Attribute)
            {
                if (attribute.T is not null) yield return attribute.T;
                foreach (var tensor in attribute.Tensors) yield return tensor;
            }

            foreach (var tensor in node.Subgraphs().SelectMany(Tensors)) yield return tensor;
        }
    }

    private static void Add(TensorProto tensor, string key, string value) =>
        tensor.ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });

    private static ByteString Read(TensorProto tensor, string folder, Dictionary<string, DataFile> files)
    {
        var entries = tensor.ExternalData.GroupBy(entry => entry.Key)
            .ToDictionary(group => group.Key, group => group.Last().Value, StringComparer.Ordinal);
        var location = entries.GetValueOrDefault("location") ?? string.Empty;
        var what = $"The external data of '{tensor.Name}'";
        try
        {
            var path = Resolve(location, folder)
                ?? throw new InvalidModelException(
                    $"{what} lies at '{location}', outside of the model's folder; only files in that folder are read.");
            if (!File.Exists(path))
                throw new InvalidModelException($"{what} is missing: there is no file '{location}' in the model's folder.");
            if (!files.TryGetValue(path, out var file)) files.Add(path, file = new DataFile(path));
            var offset = Number(entries, "offset", 0, what);
            var length = Number(entries, "length", Math.Max(0, file.Length - offset), what);
            var needed = ElementTypes.Find((DataType)tensor.DataType)?.Bits is { } bits
                ? ((Int128)TensorData.ElementCount(tensor.Dims, tensor.Name) * bits + 7) / 8
                : length;
            if (length != needed)
                throw new InvalidModelException(
                    $"{what} has {length} bytes, but its shape [{string.Join(", ", tensor.Dims)}] needs {needed}.");
            if (offset > file.Length || length > file.Length - offset)
                throw new InvalidModelException(
                    $"{what} ends at byte {(Int128)offset + length}, but the file '{location}' has only {file.Length} bytes.");
            if (length > Array.MaxLength)
                throw new InvalidModelException($"{what} has {length} bytes; a single constant may have at most {Array.MaxLength}.");
            return file.Read(offset, (int)length)
                ?? throw new InvalidModelException(
                    $"{what} overlaps that of other constants: together they would take more bytes than '{location}' has.");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new InvalidModelException($"{what} cannot be read from '{location}': {exception.Message}", exception);
        }
    }

    private static long Number(Dictionary<string, string> entries, string key, long otherwise, string what)
    {
        if (!entries.TryGetValue(key, out var text)) return otherwise;
        return long.TryParse(text, out var value) && value >= 0
            ? value
            : throw new InvalidModelException($"{what} has the {key} '{text}', which is not a number of bytes.");
    }

    // The file that a location means, or null when it, or a link on the way, leads out of the folder.
    private static string? Resolve(string location, string folder)
    {
        var root = Path.GetFullPath(folder);
        if (location.Length == 0 || Path.IsPathRooted(location)) return null;
        var path = Path.GetFullPath(Path.Combine(root, location));
        if (!IsInside(path, root)) return null;
        for (var step = path; step.Length > root.Length; step = Path.GetDirectoryName(step)!)
        {
            FileSystemInfo info = Directory.Exists(step) ? new DirectoryInfo(step) : new FileInfo(step);
            if (!info.Exists || info.LinkTarget is null) continue;
            if (info.ResolveLinkTarget(returnFinalTarget: true) is { } target && !IsInside(target.FullName, root)) return null;
        }

        return path;
    }

    private static bool IsInside(string path, string folder) =>
        path.StartsWith(
            folder.EndsWith(Path.DirectorySeparatorChar) ? folder : folder + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    /// <summary>A file of constants: constants that are stored once are read once, and no more is read than the file has.</summary>
    private sealed class DataFile(string path)
    {
        private readonly Dictionary<(long Offset, int Length), ByteString> _known = [];
        private long _read;

        /// <summary>
        /// Its size, which for a link is that of what it leads to; 0 for what is no ordinary file, so that it is not opened.
        /// </summary>
        public long Length { get; } =
            (File.ResolveLinkTarget(path, returnFinalTarget: true) as FileInfo ?? new FileInfo(path)).Length;

        /// <summary>Some of its bytes; null where all that was asked for is more than it has.</summary>
        public ByteString? Read(long offset, int length)
        {
            if (_known.TryGetValue((offset, length), out var known)) return known;
            if ((_read += length) > Length) return null;
            var bytes = GC.AllocateUninitializedArray<byte>(length);
            if (length > 0)
            {
                using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
                stream.Seek(offset, SeekOrigin.Begin);
                stream.ReadExactly(bytes);
            }

            return _known[(offset, length)] = UnsafeByteOperations.UnsafeWrap(bytes);
        }
    }
}
