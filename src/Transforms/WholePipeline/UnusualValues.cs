using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.WholePipeline;

/// <summary>
/// Values that rows in use may have and the rows of a comparison often have not: a missing number; an empty text, or one with a space in
/// front or behind. ML.NET's converter leaves out what some transforms make of them.
/// </summary>
/// <param name="Column">The raw column.</param>
/// <param name="Description">The value, in words.</param>
/// <param name="Change">Makes it of a row's own value.</param>
internal sealed record UnusualValue(DataViewSchema.Column Column, string Description, Delegate Change)
{
    /// <summary>How many rows are taken, at most. What is made of a value may happen to be what is made of one row's own.</summary>
    public const int Rows = 3;

    private delegate T Changing<T>(T own);

    /// <summary>Those of some columns.</summary>
    public static IEnumerable<UnusualValue> Of(IEnumerable<DataViewSchema.Column> columns)
    {
        foreach (var column in columns)
        {
            var item = (column.Type as VectorDataViewType)?.ItemType ?? column.Type;
            if (item == NumberDataViewType.Single)
                yield return new UnusualValue(column, "a missing number (NaN)", (Changing<float>)(_ => float.NaN));
            else if (item == NumberDataViewType.Double)
                yield return new UnusualValue(column, "a missing number (NaN)", (Changing<double>)(_ => double.NaN));
            else if (item is TextDataViewType)
            {
                yield return new UnusualValue(column, "an empty text", Text(_ => string.Empty));
                yield return new UnusualValue(column, "a text with a space in front", Text(own => $" {own}"));
                yield return new UnusualValue(column, "a text with a space behind", Text(own => $"{own} "));
            }
        }

        static Changing<ReadOnlyMemory<char>> Text(Func<ReadOnlyMemory<char>, string> change) => own => change(own).AsMemory();
    }

    /// <summary>A few rows of a view in memory, the first ones.</summary>
    public static IDataView FirstRows(IDataView data)
    {
        var catalog = new MLContext().Data;
        return catalog.Cache(catalog.TakeRows(data, Rows));
    }

    /// <summary>Rows of which one has this value, and its neighbours stay as they are; of a vector, the first slot has it.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="at">The one to be changed.</param>
    public IDataView In(IDataView rows, int at) => new View(rows, rows.Schema[Column.Name], Change, at);

    private sealed class View(IDataView rows, DataViewSchema.Column column, Delegate change, int at) : IDataView
    {
        public DataViewSchema Schema => rows.Schema;

        public bool CanShuffle => false;

        public long? GetRowCount() => rows.GetRowCount();

        public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null) =>
            new Cursor(rows.GetRowCursor(columnsNeeded), column, change, at);

        public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
            [GetRowCursor(columnsNeeded)];
    }

    private sealed class Cursor(DataViewRowCursor rows, DataViewSchema.Column changed, Delegate change, int at) : DataViewRowCursor
    {
        public override DataViewSchema Schema => rows.Schema;

        public override long Position => rows.Position;

        public override long Batch => rows.Batch;

        public override bool IsColumnActive(DataViewSchema.Column column) => rows.IsColumnActive(column);

        public override bool MoveNext() => rows.MoveNext();

        public override ValueGetter<DataViewRowId> GetIdGetter() => rows.GetIdGetter();

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            var own = rows.GetGetter<TValue>(column);
            if (column.Index != changed.Index) return own;
            return (Delegate)own switch
            {
                ValueGetter<VBuffer<float>> vector => (ValueGetter<TValue>)(Delegate)Vector(vector),
                ValueGetter<VBuffer<double>> vector => (ValueGetter<TValue>)(Delegate)Vector(vector),
                ValueGetter<VBuffer<ReadOnlyMemory<char>>> vector => (ValueGetter<TValue>)(Delegate)Vector(vector),
                _ => (ref TValue value) =>
                {
                    own(ref value);
                    if (IsChanged) value = ((Changing<TValue>)change)(value);
                }
                ,
            };
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) rows.Dispose();
            base.Dispose(disposing);
        }

        private bool IsChanged => rows.Position == at;

        private ValueGetter<VBuffer<T>> Vector<T>(ValueGetter<VBuffer<T>> own) => (ref VBuffer<T> value) =>
        {
            own(ref value);
            if (!IsChanged || value.Length == 0) return;
            T[] dense = [.. value.DenseValues()];
            dense[0] = ((Changing<T>)change)(dense[0]);
            value = new VBuffer<T>(dense.Length, dense);
        };
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Description} in '{Column.Name}'");
}
