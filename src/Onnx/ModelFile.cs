using System.Reflection;
using Google.Protobuf;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx;

/// <summary>Reads and writes ONNX files, and the metadata in them.</summary>
public static class ModelFile
{
    /// <summary>The producer name in the models that this library writes.</summary>
    public const string Producer = "MlNetBatchNorm";

    /// <summary>The version of this library, as it is written to models.</summary>
    public static string ProducerVersion { get; } =
        typeof(ModelFile).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    /// <summary>Reads a model from a file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidModelException">The file is empty, cut off or not an ONNX model.</exception>
    public static ModelProto Read(string path)
    {
        if (!File.Exists(path)) throw new FileNotFoundException($"There is no file '{path}'.", path);
        using var stream = File.OpenRead(path);
        return Parse(stream, $"'{path}'");
    }

    /// <summary>Reads a model from memory.</summary>
    /// <param name="bytes">The bytes of an ONNX file.</param>
    /// <exception cref="InvalidModelException">The bytes are not a whole ONNX model.</exception>
    public static ModelProto Parse(byte[] bytes)
    {
        using var stream = new MemoryStream(bytes, writable: false);
        return Parse(stream, "the model");
    }

    /// <summary>Writes a model so that the file is either the whole new one or untouched: to a temporary file beside it, then renamed.</summary>
    /// <exception cref="IOException">The folder does not exist or cannot be written.</exception>
    public static void Write(ModelProto model, string path) => AtomicFile.Write(path, stream => model.WriteTo(stream));

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

    private static ModelProto Parse(Stream stream, string what)
    {
        if (stream.Length == 0) throw new InvalidModelException($"{what} is empty, not an ONNX model.");
        ModelProto model;
        try
        {
            model = ModelProto.Parser.ParseFrom(stream);
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
