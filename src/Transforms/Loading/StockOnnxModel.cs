using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Onnx;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Transforms.Interop;
using MlNetBatchNorm.Transforms.Rows;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms.Loading;

/// <summary>
/// What one of ML.NET's own ONNX transformers holds. It shows nothing of that, but it can be saved, and then its model is a part of the
/// file.
/// </summary>
/// <param name="Model">The model.</param>
internal sealed record StockOnnxModel(ModelProto Model)
{
    /// <summary>Reads the model out of a transformer.</summary>
    /// <exception cref="InvalidModelException">It is not an ONNX model, or was written by a later version of this library.</exception>
    public static StockOnnxModel Read(ModelOperationsCatalog catalog, OnnxTransformer transformer)
    {
        var model = ModelFile.Parse(MlNetInternals.OnnxBytesOf(catalog, transformer));
        ModelMetadata.RequireKnownFormat(
            model.MetadataProps.Select(metadata => KeyValuePair.Create(metadata.Key, metadata.Value)), "The saved model");
        return new StockOnnxModel(model);
    }

    /// <summary>A metadata entry of the model, or null.</summary>
    public string? Metadata(string key) => ModelFile.GetMetadata(Model, key);

    /// <summary>The output that a column is made of, or null. ML.NET leaves out an ending of its own in the column's name.</summary>
    public string? OutputOf(string column) => Model.Graph.Output
        .Select(output => output.Name)
        .FirstOrDefault(name => name == column || name.Replace(".output", string.Empty, StringComparison.Ordinal) == column);

    /// <summary>
    /// The columns that the transformer reads and adds; null where it cannot be told. The transformer is asked, with a schema that has just
    /// the columns that the model wants: what it adds stands behind them.
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
