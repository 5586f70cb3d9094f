using System.Buffers;
using System.Reflection;
using Google.Protobuf;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>Reads and writes ONNX files, and the metadata in them.</summary>
internal static class ModelFile
{
    /// <summary>The producer name in the models that this library writes.</summary>
    public const string Producer = "MlNetBatchNorm";

    /// <summary>The version of this library, as it is written to models.</summary>
    public static string ProducerVersion { get; } =
        typeof(ModelFile).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    /// <summary>The largest model that is written as one file: a protobuf message ends at 2 GB, and its frame needs a little.</summary>
    public const long LargestSingleFile = int.MaxValue - (16L << 20);

    /// <summary>
    /// Reads a model from a file. External data is read too, from the file's own folder only, and becomes part of the model.
    /// </summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidModelException">
    /// The file is empty, cut off or not an ONNX model, or its external data is missing or elsewhere.
    /// </exception>
    public static ModelProto Read(string path)
    {
        if (!File.Exists(path)) throw new FileNotFoundException($"There is no file '{path}'.", path);
        ModelProto model;
        using (var file = new FileBuffer(path)) model = Parse(file.Bytes, $"'{path}'");
        ExternalData.Load(model, Path.GetDirectoryName(Path.GetFullPath(path))!);
        return model;
    }

    /// <summary>Reads a model from memory.</summary>
    /// <param name="bytes">The bytes of an ONNX file.</param>
    /// <exception cref="InvalidModelException">The bytes are not a whole ONNX model.</exception>
    public static ModelProto Parse(byte[] bytes)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        return Parse(new ReadOnlySequence<byte>(bytes), "the model");
    }

    /// <summary>
    /// Writes a model so that the file is either the whole new one or untouched: to a temporary file beside it, then renamed.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="path">The file to create or replace.</param>
    /// <param name="largestSingleFile">
    /// Above this many bytes the large constants go into a second file, <paramref name="path"/> with <c>.data</c> behind it. Default: what
    /// protobuf allows, <see cref="LargestSingleFile"/>.
    /// </param>
    /// <exception cref="IOException">The folder does not exist or cannot be written.</exception>
    public static void Write(ModelProto model, string path, long largestSingleFile = LargestSingleFile)
    {
        if (Size(model) <= largestSingleFile)
        {
            AtomicFile.Write(path, stream => LazyBytes.OneAfterAnother(() => model.WriteTo(stream)));
            return;
        }

        var (rest, data) = ExternalData.Split(model, $"{Path.GetFileName(path)}.data");
        AtomicFile.Write($"{path}.data", stream => LazyBytes.OneAfterAnother(() =>
        {
            foreach (var bytes in data) stream.Write(bytes.Span);
        }));
        AtomicFile.Write(path, stream => rest.WriteTo(stream));
    }

    /// <summary>The size of a model in bytes, which may be more than one file can hold.</summary>
    public static long Size(ModelProto model)
    {
        var large = ExternalData.Tensors(model.Graph).Sum(tensor => (long)tensor.RawData.Length);
        if (large < int.MaxValue / 2) return model.CalculateSize();
        // Protobuf counts in 32 bits: beyond them, the constants are counted apart.
        var (rest, data) = ExternalData.Split(model, string.Empty);
        return rest.CalculateSize() + data.Sum(bytes => (long)bytes.Length);
    }

    /// <summary>The value of a metadata entry, or null.</summary>
    public static string? GetMetadata(ModelProto model, string key) =>
        model.MetadataProps.FirstOrDefault(entry => entry.Key == key)?.Value;

    /// <summary>Sets a metadata entry; an entry with the same key is replaced.</summary>
    public static void SetMetadata(ModelProto model, string key, string value)
    {
        var entry = model.MetadataProps.FirstOrDefault(entry => entry.Key == key);
        if (entry is null) model.MetadataProps.Add(entry = new StringStringEntryProto { Key = key });
        entry.Value = value;
    }

    /// <summary>Reads a model from memory; errors call it <paramref name="what"/>.</summary>
    public static ModelProto Parse(ReadOnlySequence<byte> bytes, string what)
    {
        if (bytes.Length == 0) throw new InvalidModelException($"{what} is empty, not an ONNX model.");
        ModelProto model;
        try
        {
            model = ModelProto.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException exception)
        {
            throw new InvalidModelException($"{what} is not an ONNX model, or is cut off: {exception.Message.Split('\n')[0]}", exception);
        }

        // Most short byte strings parse as some protobuf message; a model has at least a graph and an operator set.
        if (model.Graph is null || (model.OpsetImport.Count == 0 && model.IrVersion >= 3))
            throw new InvalidModelException($"{what} is not an ONNX model: it has no {(model.Graph is null ? "graph" : "operator set")}.");
        return model;
    }
}
