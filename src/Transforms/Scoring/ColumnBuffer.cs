using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Scoring;

/// <summary>The row of a block that getters read: where a cursor stands, or the only row there is.</summary>
internal interface ICurrentRow
{
    /// <summary>Its place in the block. Asking for it makes sure that the row has been scored.</summary>
    int Index { get; }
}

/// <summary>The values of one passed-through column for the rows of a batch, while the input's cursor is already further on.</summary>
internal abstract class ColumnBuffer
{
    /// <summary>Keeps the input's current value at a place.</summary>
    public abstract void Store(int index);

    /// <summary>A getter of the column's type for the value of a row.</summary>
    public abstract Delegate Getter(ICurrentRow at);

    public static ColumnBuffer Create(DataViewRow input, DataViewSchema.Column column, int capacity) =>
        (ColumnBuffer)Activator.CreateInstance(
            column.Type is VectorDataViewType vector
                ? typeof(VectorBuffer<>).MakeGenericType(vector.ItemType.RawType)
                : typeof(ScalarBuffer<>).MakeGenericType(column.Type.RawType),
            input,
            column,
            capacity)!;

    private sealed class ScalarBuffer<T>(DataViewRow input, DataViewSchema.Column column, int capacity) : ColumnBuffer
    {
        private readonly ValueGetter<T> _getter = input.GetGetter<T>(column);
        private readonly T[] _values = new T[capacity];

        public override void Store(int index) => _getter(ref _values[index]);

        public override Delegate Getter(ICurrentRow at) => (ValueGetter<T>)((ref T value) => value = _values[at.Index]);
    }

    private sealed class VectorBuffer<T>(DataViewRow input, DataViewSchema.Column column, int capacity) : ColumnBuffer
    {
        private readonly ValueGetter<VBuffer<T>> _getter = input.GetGetter<VBuffer<T>>(column);
        private readonly VBuffer<T>[] _values = new VBuffer<T>[capacity];

        public override void Store(int index) => _getter(ref _values[index]);

        public override Delegate Getter(ICurrentRow at) =>
            (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) => _values[at.Index].CopyTo(ref value));
    }
}
