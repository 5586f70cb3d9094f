namespace Microsoft.ML.Rows;

/// <summary>
/// Keeps in memory the columns that were read once, and gives the rows that are chosen, in the order they are chosen: how caching,
/// shuffling, taking, skipping and splitting are done here. The real one streams instead.
/// </summary>
internal sealed class ChosenRows(IDataView input, Func<int, IEnumerable<int>> choose)
{
    private readonly Func<Func<long>, Delegate>[] _columns = new Func<Func<long>, Delegate>[input.Schema.Count];
    private int[] _chosen;

    public static IDataView Of(IDataView input, Func<int, IEnumerable<int>> choose)
    {
        var rows = new ChosenRows(input, choose);
        return new View(input.Schema, rows.Open, true, () => rows._chosen?.Length);
    }

    private Cursor Open(IEnumerable<DataViewSchema.Column> active, Random random)
    {
        lock (_columns)
            Fill(active.Where(c => _columns[c.Index] is null).ToArray());
        var order = _chosen.ToArray();
        random?.Shuffle(order);
        return new Cursor(input.Schema, active, _columns, order);
    }

    private void Fill(DataViewSchema.Column[] missing)
    {
        if (missing.Length == 0 && _chosen is not null)
            return;
        using var cursor = input.GetRowCursor(missing);
        var caches = missing.Select(c => c.Type.ItemType().RawType.For<(Action Append, Func<Func<long>, Delegate> Getter)>(Cache<int>, cursor, c)).ToArray();
        var count = 0;
        for (; cursor.MoveNext(); count++)
            Array.ForEach(caches, cache => cache.Append());
        _chosen ??= [.. choose(count)];
        for (var i = 0; i < missing.Length; i++)
            _columns[missing[i].Index] = caches[i].Getter;
    }

    private static (Action Append, Func<Func<long>, Delegate> Getter) Cache<T>(DataViewRow row, DataViewSchema.Column column)
    {
        var (values, read) = (new List<T[]>(), Values.Reader<T>(row, column));
        return (() => values.Add([.. read()]), index => Values.Getter(column.Type is VectorDataViewType, () => values[(int)index()]));
    }

    private sealed class Cursor : GetterRow
    {
        private readonly int[] _order;

        public Cursor(DataViewSchema schema, IEnumerable<DataViewSchema.Column> active, Func<Func<long>, Delegate>[] columns, int[] order)
            : base(schema, active) { _order = order; Activate(column => columns[column.Index](() => order[Current])); }

        public override bool MoveNext() => ++Current < _order.Length;
    }
}
