using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Bench;

/// <summary>Rows of features in one array, handed out as cheaply as ML.NET's interfaces allow: what is timed on top is scoring.</summary>
public sealed class FeatureRows : IDataView
{
    private readonly float[] _values;
    private readonly int _width;

    public FeatureRows(float[] values, int width, string column = "Features")
    {
        (_values, _width) = (values, width);
        var builder = new DataViewSchema.Builder();
        builder.AddColumn(column, new VectorDataViewType(NumberDataViewType.Single, width));
        Schema = builder.ToSchema();
    }

    public DataViewSchema Schema { get; }

    public bool CanShuffle => false;

    public long? GetRowCount() => _values.Length / _width;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null) => new Cursor(this);

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
        [new Cursor(this)];

    private sealed class Cursor(FeatureRows rows) : DataViewRowCursor
    {
        private readonly int _count = rows._values.Length / rows._width;
        private int _position = -1;

        public override DataViewSchema Schema => rows.Schema;

        public override long Position => _position;

        public override long Batch => 0;

        public override bool IsColumnActive(DataViewSchema.Column column) => true;

        public override bool MoveNext() => ++_position < _count;

        public override ValueGetter<DataViewRowId> GetIdGetter() =>
            (ref DataViewRowId value) => value = new DataViewRowId((ulong)_position, 0);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            var (values, width) = (rows._values, rows._width);
            return (ValueGetter<TValue>)(Delegate)(ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) =>
            {
                var editor = VBufferEditor.Create(ref value, width);
                values.AsSpan(_position * width, width).CopyTo(editor.Values);
                value = editor.Commit();
            });
        }
    }
}
