using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Transforms.Rows;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms.WholePipeline;

/// <summary>A column of some rows as a tensor: <c>[N, 1]</c> for scalars, <c>[N, …]</c> for vectors.</summary>
internal abstract class ColumnTensor
{
    /// <summary>The element type of a column; Undefined where ONNX has none for it.</summary>
    public static DataType TypeOf(DataViewType type) => TensorTypes.OfRawType(ItemOf(type).RawType);

    /// <summary>The sizes behind the first dimension; empty where they vary.</summary>
    public static IReadOnlyList<long> SizesOf(DataViewType type) => type switch
    {
        VectorDataViewType { Size: 0 } => [],
        VectorDataViewType vector => [.. vector.Dimensions.Select(size => (long)size)],
        _ => [1],
    };

    /// <summary>The shape of a column's tensor.</summary>
    public static TensorDimension[] ShapeOf(DataViewType type) =>
        [TensorDimension.Rows, .. SizesOf(type).Select(size => (TensorDimension)size)];

    /// <summary>That a column cannot be a tensor and why, or null.</summary>
    public static string? WhyNot(DataViewSchema.Column column) =>
        TypeOf(column.Type) == DataType.Undefined ? $"the column '{column.Name}' is of the type {column.Type}, for which ONNX has no tensor"
        : SizesOf(column.Type).Count == 0 ? $"the column '{column.Name}' is of the type {column.Type}, a vector whose size varies"
        : null;

    /// <summary>Starts to collect a column of a cursor's rows.</summary>
    public static ColumnTensor Open(DataViewRow row, DataViewSchema.Column column)
    {
        var raw = ItemOf(column.Type).RawType;
        var element = raw == typeof(ReadOnlyMemory<char>) ? typeof(string) : raw;
        return (ColumnTensor)Activator.CreateInstance(typeof(Of<,>).MakeGenericType(raw, element), row, column)!;
    }

    /// <summary>Takes in the row that the cursor stands on.</summary>
    public abstract void Add();

    /// <summary>The rows that were taken in, at least as many as asked for: the last one is repeated.</summary>
    public abstract HostTensor Take(int atLeast);

    private static DataViewType ItemOf(DataViewType type) => type is VectorDataViewType vector ? vector.ItemType : type;

    private sealed class Of<TValue, TElement> : ColumnTensor
    {
        private readonly DataType _type;
        private readonly long[] _sizes;
        private readonly Action _read;
        private readonly TValue[] _row;
        private readonly List<TElement> _elements = [];

        public Of(DataViewRow row, DataViewSchema.Column column)
        {
            (_type, _sizes) = (TypeOf(column.Type), [.. SizesOf(column.Type)]);
            _row = new TValue[_sizes.Aggregate(1L, (product, size) => product * size)];
            if (column.Type is VectorDataViewType)
            {
                var getVector = row.GetGetter<VBuffer<TValue>>(column);
                VBuffer<TValue> vector = default;
                _read = () =>
                {
                    getVector(ref vector);
                    vector.CopyTo(_row);
                };
            }
            else
            {
                var get = row.GetGetter<TValue>(column);
                _read = () => get(ref _row[0]);
            }
        }

        public override void Add()
        {
            _read();
            foreach (var value in _row) _elements.Add(value is TElement same ? same : (TElement)(object)value!.ToString()!);
        }

        public override HostTensor Take(int atLeast)
        {
            while (_elements.Count < atLeast * _row.Length) _elements.AddRange(_elements[^_row.Length..]);
            TElement[] elements = [.. _elements];
            _elements.Clear();
            return new HostTensor(_type, [elements.Length / _row.Length, .. _sizes], elements);
        }
    }
}
