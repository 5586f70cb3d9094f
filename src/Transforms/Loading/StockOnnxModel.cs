using System.IO.Compression;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Onnx;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// What one of ML.NET's own ONNX transformers holds. It shows nothing of that, but it can be saved, and then its model is a part of the file.
/// </summary>
/// <param name="Model">The model.</param>
internal sealed record StockOnnxModel(ModelProto Model)
{
    // So ML.NET calls the part of its file: a length, and that many bytes.
    private const string Entry = "OnnxModel";

    /// <summary>Reads the model out of a transformer.</summary>
    /// <exception cref="InvalidModelException">It is not an ONNX model, or was written by a later version of this library.</exception>
    public static StockOnnxModel Read(ModelOperationsCatalog catalog, OnnxTransformer transformer)
    {
        using var file = new MemoryStream();
        catalog.Save(transformer, null, file);
        file.Position = 0;
        using var archive = new ZipArchive(file, ZipArchiveMode.Read);
        var entry = archive.Entries.FirstOrDefault(entry => entry.Name == Entry)
            ?? throw new InvalidModelException($"ML.NET saved an ONNX transformer without a part '{Entry}'; this version of ML.NET is not known.");
        using var reader = new BinaryReader(entry.Open());
        var model = ModelFile.Parse(reader.ReadBytes(reader.ReadInt32()));
        ModelMetadata.RequireKnownFormat(model.MetadataProps.Select(metadata => KeyValuePair.Create(metadata.Key, metadata.Value)), "The saved model");
        return new StockOnnxModel(model);
    }

    /// <summary>A metadata entry of the model, or null.</summary>
    public string? Metadata(string key) => ModelFile.GetMetadata(Model, key);

    /// <summary>
    /// The columns that the transformer reads and adds; null where it cannot be told. The transformer is asked, with a schema that has just the
    /// columns that the model wants: what it adds stands behind them.
    /// </summary>
    public (string[] Inputs, DataViewSchema.Column[] Outputs)? Columns(ITransformer transformer)
    {
        var builder = new DataViewSchema.Builder();
        var constants = Model.Graph.Initializer.Select(tensor => tensor.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var input in Model.Graph.Input.Where(input => !constants.Contains(input.Name)))
        {
            if (input.Type?.TensorType is not { } tensor || !TensorTypes.Has((DataType)tensor.ElemType)) return null;

            // As ML.NET reads a shape: an unknown first dimension is 1.
            long count = 1;
            foreach (var (size, axis) in (tensor.Shape?.Dim ?? []).Select((size, axis) => (size.DimValue, axis)))
            {
                if (size <= 0 && axis > 0) return null;
                count *= Math.Max(size, 1);
            }

            if (count > int.MaxValue) return null;
            builder.AddColumn(input.Name, new VectorDataViewType(TensorTypes.ItemOf((DataType)tensor.ElemType), (int)count));
        }

        var schema = builder.ToSchema();
        try
        {
            var mapper = transformer.GetRowToRowMapper(schema);
            var outputs = mapper.OutputSchema.Where(column => column.Index >= schema.Count).ToArray();
            return ([.. mapper.GetDependencies(outputs).Select(column => column.Name)], outputs);
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidOperationException)
        {
            // Shapes that were given when the transformer was made, say.
            return null;
        }
    }
}
