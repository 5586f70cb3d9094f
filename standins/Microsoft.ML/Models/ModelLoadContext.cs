using System.IO.Compression;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;
using Microsoft.ML.Transforms.Onnx;

namespace Microsoft.ML.Models;

internal static class ModelFormat
{
    public const string EntryName = "Model.bin";
    public const string Transformer = "TransformerChain";
    public const string Schema = "Schema.bin";
    public const int Version = 1;
}

/// <summary>The counterpart of <see cref="ModelSaveContext"/>.</summary>
internal sealed class ModelLoadContext(MLContext context, ZipArchive archive, string folder, BinaryReader reader)
{
    public MLContext Context => context;

    public BinaryReader Reader => reader;

    public ITransformer LoadModel(string name) => Load(context, archive, $"{folder}{name}/");

    public static ITransformer Load(MLContext context, ZipArchive archive, string folder)
    {
        var path = folder + ModelFormat.EntryName;
        var entry = archive.GetEntry(path) ?? throw new FormatException($"This is not a model: it has no entry '{path}'.");
        // A copy, because a zip entry can't tell a reader where it ends.
        using var payload = new MemoryStream();
        using (var stream = entry.Open())
            stream.CopyTo(payload);
        payload.Position = 0;
        using var reader = new BinaryReader(payload);
        var version = reader.ReadInt32();
        if (version != ModelFormat.Version)
            throw new FormatException($"The model has format version {version}; this version of the stand-in for ML.NET reads {ModelFormat.Version}.");
        var signature = reader.ReadString();
        var ctx = new ModelLoadContext(context, archive, folder, reader);
        return signature switch
        {
            TransformerChain<ITransformer>.Signature => TransformerChain<ITransformer>.Load(ctx),
            ColumnConcatenatingTransformer.Signature => ColumnConcatenatingTransformer.Load(ctx),
            ColumnCopyingTransformer.Signature => ColumnCopyingTransformer.Load(ctx),
            ColumnSelectingTransformer.Signature => ColumnSelectingTransformer.Load(ctx),
            CustomMappingLoader.Signature => CustomMappingLoader.Load(ctx),
            KeyToValueMappingTransformer.Signature => KeyToValueMappingTransformer.Load(ctx),
            KeyToVectorMappingTransformer.Signature => KeyToVectorMappingTransformer.Load(ctx),
            MissingValueReplacingTransformer.Signature => MissingValueReplacingTransformer.Load(ctx),
            NormalizingTransformer.Signature => NormalizingTransformer.Load(ctx),
            OnnxTransformer.Signature => OnnxTransformer.Load(ctx),
            TypeConvertingTransformer.Signature => TypeConvertingTransformer.Load(ctx),
            ValueToKeyMappingTransformer.Signature => ValueToKeyMappingTransformer.Load(ctx),
            _ => throw new FormatException($"The model names '{signature}', which this stand-in for ML.NET can't load."),
        };
    }
}
