using Microsoft.ML.Data;

namespace Microsoft.ML.Rows;

/// <summary>Keeps in memory the columns that were read once.</summary>
internal sealed class CachedDataView(IDataView input) : IDataView
{
    private readonly ColumnCache[] _columns = new ColumnCache[input.Schema.Count];
    private int? _count;

    public DataViewSchema Schema => input.Schema;

    public bool CanShuffle => true;

    public long? GetRowCount() => _count ?? input.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        var columns = columnsNeeded.ToArray();
        Fill(columns);
        var order = Enumerable.Range(0, _count.Value).ToArray();
        rand?.Shuffle(order);
        return new Cursor(Schema, columns, _columns, order);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
        => [GetRowCursor(columnsNeeded, rand)];

    private void Fill(DataViewSchema.Column[] needed)
    {
        lock (_columns)
        {
            var missing = needed.Where(c => _columns[c.Index] is null).ToArray();
            if (missing.Length == 0 && _count is not null)
                return;
            using var cursor = input.GetRowCursor(missing);
            var caches = missing.Select(c => c.Type.RawType.For<ColumnCache>(Create<int>, cursor, c)).ToArray();
            var count = 0;
            for (; cursor.MoveNext(); count++)
            {
                foreach (var cache in caches)
                    cache.Append();
            }
            _count = count;
            for (var i = 0; i < missing.Length; i++)
                _columns[missing[i].Index] = caches[i];
        }
    }

    private static ColumnCache Create<T>(DataViewRow row, DataViewSchema.Column column) => new ColumnCache<T>(row.GetGetter<T>(column));

    private abstract class ColumnCache
    {
        public abstract void Append();

        public abstract Delegate Getter(Func<int> index);
    }

    private sealed class ColumnCache<T>(ValueGetter<T> source) : ColumnCache
    {
        private readonly List<T> _values = [];

        public override void Append()
        {
            // Never the same vector twice: it would be overwritten.
            T value = default;
            source(ref value);
            _values.Add(value);
        }

        public override Delegate Getter(Func<int> index) => typeof(T).IsGenericType && typeof(T).GetGenericTypeDefinition() == typeof(VBuffer<>)
            ? typeof(T).GetGenericArguments()[0].For<Delegate>(VectorGetter<int>, _values, index)
            : (ValueGetter<T>)((ref T value) => value = _values[index()]);

        private static Delegate VectorGetter<TItem>(List<VBuffer<TItem>> values, Func<int> index)
            => (ValueGetter<VBuffer<TItem>>)((ref VBuffer<TItem> value) => values[index()].CopyTo(ref value));
    }

    private sealed class Cursor : DataViewRowCursor
    {
        private readonly Delegate[] _getters;
        private readonly int[] _order;
        private int _position = -1;

        public Cursor(DataViewSchema schema, DataViewSchema.Column[] active, ColumnCache[] columns, int[] order)
        {
            Schema = schema;
            _order = order;
            _getters = new Delegate[schema.Count];
            foreach (var column in active)
                _getters[column.Index] = columns[column.Index].Getter(() => _order[_position]);
        }

        public override DataViewSchema Schema { get; }

        public override long Position => _position;

        public override long Batch => 0;

        public override bool MoveNext() => ++_position < _order.Length;

        public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) => id = new DataViewRowId((ulong)_order[_position], 0);

        public override bool IsColumnActive(DataViewSchema.Column column) => _getters[column.Index] is not null;

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => _getters[column.Index].As<TValue>();
    }
}

/// <summary>The rows in a random order: the same one each time if there is a seed.</summary>
internal sealed class ShuffledDataView(CachedDataView input, int? seed) : IDataView
{
    public DataViewSchema Schema => input.Schema;

    public bool CanShuffle => true;

    public long? GetRowCount() => input.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
        => input.GetRowCursor(columnsNeeded, seed is { } value ? new Random(value) : rand ?? new Random());

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
        => [GetRowCursor(columnsNeeded, rand)];
}
