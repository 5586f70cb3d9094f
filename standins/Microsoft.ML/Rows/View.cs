namespace Microsoft.ML.Rows;

/// <summary>A data view that is read by one cursor at a time.</summary>
internal sealed class View(DataViewSchema schema, Func<IEnumerable<DataViewSchema.Column>, Random, DataViewRowCursor> open,
    bool canShuffle = false, Func<long?> count = null) : IDataView
{
    public DataViewSchema Schema => schema;
    public bool CanShuffle => canShuffle;
    public long? GetRowCount() => count?.Invoke();
    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null) => open(columnsNeeded, rand);
    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null) => [open(columnsNeeded, rand)];
}

/// <summary>A row whose columns are read through getters that its maker keeps up to date.</summary>
internal abstract class GetterRow(DataViewSchema schema, IEnumerable<DataViewSchema.Column> active) : DataViewRowCursor
{
    private readonly Delegate[] _getters = new Delegate[schema.Count];
    protected long Current { get; set; } = -1;
    public override DataViewSchema Schema => schema;
    public override long Position => Current;
    public override long Batch => 0;
    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) => id = new DataViewRowId((ulong)Position, 0);
    public override bool IsColumnActive(DataViewSchema.Column column) => _getters[column.Index] is not null;
    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => _getters[column.Index].As<TValue>();

    protected void Activate(Func<DataViewSchema.Column, Delegate> getter)
    {
        foreach (var column in active)
            _getters[column.Index] = getter(column);
    }
}
