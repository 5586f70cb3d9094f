using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx.Execution.Scoring;
using MlNetBatchNorm.Transforms.Rows;

namespace MlNetBatchNorm.Transforms.Scoring;

/// <summary>A column that a model reads.</summary>
/// <param name="Name">The column's name.</param>
/// <param name="Tensor">The model's input.</param>
/// <param name="Index">Its place among the model's inputs.</param>
/// <param name="IsFeatures">Whether it is the features of a network that was trained here, so that messages can say so.</param>
internal sealed record InputColumn(string Name, RowTensor Tensor, int Index, bool IsFeatures = false)
{
    /// <summary>The column of a schema.</summary>
    /// <exception cref="ArgumentException">There is none, or it has another type or size.</exception>
    public DataViewSchema.Column Require(DataViewSchema input)
    {
        var column = IsFeatures ? Columns.RequireFeatures(input, Name) : Columns.Require(input, Name, "input");
        var item = (column.Type as VectorDataViewType)?.ItemType ?? column.Type;
        if (item.RawType != TensorTypes.RawTypeOf(Tensor.Type))
            throw new ArgumentException(
                $"The column '{Name}' has the type {column.Type}, but the model's input '{Tensor.Name}' takes "
                + $"{TensorTypes.RawTypeOf(Tensor.Type).Name}. Put ConvertType in front.");

        // 0 is the size of a vector whose length varies: each row is looked at.
        var size = (column.Type as VectorDataViewType)?.Size ?? 1;
        if (size != 0 && size != Tensor.Count)
            throw new ArgumentException(
                $"The {(IsFeatures ? "feature " : string.Empty)}column '{Name}' has {size} {(size == 1 ? "value" : "values")}, but "
                + $"{Expected}.");
        return column;
    }

    /// <summary>Makes what writes the current row's values into a block.</summary>
    public RowFeed CreateFeed(DataViewRow row, DataViewSchema.Column column, RowBlock block) => (RowFeed)Activator.CreateInstance(
        (column.Type, Tensor.Type) switch
        {
            (VectorDataViewType, Onnx.Proto.TensorProto.Types.DataType.String) => typeof(RowFeed.TextVector),
            (_, Onnx.Proto.TensorProto.Types.DataType.String) => typeof(RowFeed.Text),
            (VectorDataViewType, _) => typeof(RowFeed.Vector<>).MakeGenericType(TensorTypes.RawTypeOf(Tensor.Type)),
            _ => typeof(RowFeed.Scalar<>).MakeGenericType(TensorTypes.RawTypeOf(Tensor.Type)),
        },
        this,
        row,
        column,
        block)!;

    /// <summary>The error for a row of another length.</summary>
    public InvalidDataException WrongLength(long row, int length) =>
        new($"Row {row} has {length} values in the column '{Name}', but {Expected}.");

    private string Expected => IsFeatures
        ? $"the network was trained on {Tensor.Count}"
        : $"the model's input '{Tensor.Name}' takes {Tensor.Count} for a row, of shape [{string.Join(", ", Tensor.Shape)}]";
}
