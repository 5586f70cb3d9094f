using System.IO.Compression;
using Microsoft.ML.Models;

namespace Microsoft.ML;

/// <summary>
/// One folder of a model file: "Model.bin" has the format's version, the signature that says who loads it, and its own values;
/// sub-models are sub-folders.
/// </summary>
public sealed class ModelSaveContext : IDisposable
{
    private readonly ZipArchive _archive;
    private readonly string _folder;
    private readonly MemoryStream _payload = new();
    private string _signature;

    internal ModelSaveContext(ZipArchive archive, string folder)
    {
        _archive = archive;
        _folder = folder;
        Writer = new BinaryWriter(_payload);
    }

    internal BinaryWriter Writer { get; }

    public void Dispose() => Writer.Dispose();

    internal void SetSignature(string signature) => _signature = signature;

    internal void SaveModel(ICanSaveModel model, string name)
    {
        using var inner = new ModelSaveContext(_archive, $"{_folder}{name}/");
        model.Save(inner);
        inner.Commit();
    }

    private void Commit()
    {
        if (_signature is null)
            throw new InvalidOperationException("ModelSignature not specified!");
        using var writer = new BinaryWriter(_archive.CreateEntry($"{_folder}{ModelFormat.EntryName}", CompressionLevel.Fastest).Open());
        writer.Write(ModelFormat.Version);
        writer.Write(_signature);
        Writer.Flush();
        writer.Write(_payload.GetBuffer(), 0, (int)_payload.Length);
    }
}
