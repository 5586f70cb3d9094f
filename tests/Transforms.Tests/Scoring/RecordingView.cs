using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tests.Scoring;

/// <summary>
/// Rows in memory, of a label, a vector of features and a text that nobody needs, that writes down what is asked of it. As a stream of a
/// million rows does, it makes each row when a cursor comes to it.
/// </summary>
internal sealed class RecordingView : IDataView
{
    private readonly int _rows;
    private readonly int _width;

    public RecordingView(int rows, int width)
    {
        (_rows, _width) = (rows, width);
        var builder = new DataViewSchema.Builder();
        builder.AddColumn("Number", NumberDataViewType.Int64);
        builder.AddColumn("Features", new VectorDataViewType(NumberDataViewType.Single, width));
        builder.AddColumn("Unneeded", TextDataViewType.Instance);
        Schema = builder.ToSchema();
    }

    public DataViewSchema Schema { get; }

    public bool CanShuffle => true;

    /// <summary>The columns that the last cursor was asked for.</summary>
    public string[] Asked { get; private set; } = [];

    /// <summary>The rows that were read in all.</summary>
    public int Read { get; private set; }

    /// <summary>What the features of a row are.</summary>
    public static float Feature(long row, int slot) => (float)Math.Sin((row * 31) + slot);

    public long? GetRowCount() => _rows;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        Asked = [.. columnsNeeded.Select(column => column.Name)];
        int[] order = [.. Enumerable.Range(0, _rows)];
        rand?.Shuffle(order);
        return new Cursor(this, order);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null)
    {
        Asked = [.. columnsNeeded.Select(column => column.Name)];
        return [.. Enumerable.Range(0, n).Select(part => new Cursor(this, [.. Enumerable.Range(0, _rows).Where(row => row % n == part)]))];
    }

    private sealed class Cursor(RecordingView view, int[] order) : DataViewRowCursor
    {
        private long _position = -1;

        public override DataViewSchema Schema => view.Schema;

        public override long Position => _position;

        public override long Batch => _position < 0 ? 0 : order[_position];

        public override bool IsColumnActive(DataViewSchema.Column column) => view.Asked.Contains(column.Name);

        public override bool MoveNext()
        {
            if (_position + 1 >= order.Length) return false;
            _position++;
            view.Read++;
            return true;
        }

        public override ValueGetter<DataViewRowId> GetIdGetter() =>
            (ref DataViewRowId value) => value = new DataViewRowId((ulong)order[_position], 7);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            Assert.True(IsColumnActive(column), $"The column '{column.Name}' was read without having been asked for.");
            Delegate getter = column.Name switch
            {
                "Number" => (ValueGetter<long>)((ref long value) => value = order[_position]),
                "Features" => (ValueGetter<VBuffer<float>>)GetFeatures,
                _ => (ValueGetter<ReadOnlyMemory<char>>)((ref ReadOnlyMemory<char> value) => value = default),
            };
            return (ValueGetter<TValue>)getter;
        }

        // Every third row is sparse.
        private void GetFeatures(ref VBuffer<float> value)
        {
            var row = order[_position];
            var editor = row % 3 == 0 ? VBufferEditor.Create(ref value, view._width, 1) : VBufferEditor.Create(ref value, view._width);
            if (row % 3 == 0) (editor.Indices[0], editor.Values[0]) = (row % view._width, Feature(row, 0));
            else for (var slot = 0; slot < view._width; slot++) editor.Values[slot] = Feature(row, slot);
            value = editor.Commit();
        }
    }
}
