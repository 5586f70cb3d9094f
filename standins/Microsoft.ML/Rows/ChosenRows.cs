using Microsoft.ML.Data;

namespace Microsoft.ML.Rows;

/// <summary>
/// Keeps in memory the columns that were read once, and gives the rows that are chosen, in the order they are chosen: how caching,
/// shuffling, taking, skipping and splitting are done here. The real one streams instead.
/// </summary>
internal sealed class ChosenRows(IDataView input, Func<int, IEnumerable<int>> choose) : IDataView
{
    private readonly ColumnCache[] _columns = new ColumnCache[input.Schema.Count];
    private int? _count;
    private int[] _chosen;

    public DataViewSchema Schema => input.Schema;
    public bool CanShuffle => true;
    public long? GetRowCount() => _chosen?.Length;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        var columns = columnsNeeded.ToArray();
        lock (_columns)
            Fill(columns.Where(c => _columns[c.Index] is null).ToArray());
        var order = _chosen.ToArray();
        rand?.Shuffle(order);
        return new Cursor(Schema, columns, _columns, order);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
        => [GetRowCursor(columnsNeeded, rand)];

    private void Fill(DataViewSchema.Column[] missing)
    {
        if (missing.Length == 0 && _count is not null)
            return;
        using var cursor = input.GetRowCursor(missing);
        var caches = missing.Select(c => c.Type.RawType.For<ColumnCache>(Create<int>, cursor, c)).ToArray();
        var count = 0;
        for (; cursor.MoveNext(); count++)
            Array.ForEach(caches, cache => cache.Append());
        if (_count is null)
            _chosen = [.. choose(count)];
        _count = count;
        for (var i = 0; i < missing.Length; i++)
            _columns[missing[i].Index] = caches[i];
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

    private sealed class Cursor : GetterRow
    {
        private readonly int[] _order;

        public Cursor(DataViewSchema schema, DataViewSchema.Column[] active, ColumnCache[] columns, int[] order)
            : base(schema, new Delegate[schema.Count])
        {
            _order = order;
            foreach (var column in active)
                Getters[column.Index] = columns[column.Index].Getter(() => order[Current]);
        }

        public override bool MoveNext() => ++Current < _order.Length;
    }
}
