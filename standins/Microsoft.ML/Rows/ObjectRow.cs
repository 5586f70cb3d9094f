using Microsoft.ML.Data;

namespace Microsoft.ML.Rows;

/// <summary>A row whose columns are read through getters that its maker keeps up to date.</summary>
internal abstract class GetterRow(DataViewSchema schema, Delegate[] getters) : DataViewRowCursor
{
    protected Delegate[] Getters => getters;
    protected long Current { get; set; } = -1;
    public override DataViewSchema Schema => schema;
    public override long Position => Current;
    public override long Batch => 0;
    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) => id = new DataViewRowId((ulong)Position, 0);
    public override bool IsColumnActive(DataViewSchema.Column column) => getters[column.Index] is not null;
    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => getters[column.Index].As<TValue>();
}

/// <summary>Objects as rows: those of a sequence, or whatever object is put there.</summary>
internal sealed class ObjectRow<TRow> : GetterRow
{
    private readonly IEnumerator<TRow> _rows;
    private TRow _row;

    public ObjectRow(DataViewSchema schema, Member<TRow>[] members, IEnumerable<DataViewSchema.Column> active, IEnumerable<TRow> rows = null)
        : base(schema, new Delegate[members.Length])
    {
        _rows = rows?.GetEnumerator();
        foreach (var column in active)
            Getters[column.Index] = members[column.Index].Getter(() => _row);
    }

    public void Put(TRow row)
    {
        _row = row ?? throw new ArgumentNullException(nameof(row));
        Current++;
    }

    public override bool MoveNext()
    {
        var more = _rows.MoveNext();
        if (more)
            Put(_rows.Current);
        return more;
    }

    protected override void Dispose(bool disposing) => _rows?.Dispose();
}

internal sealed class EnumerableDataView<TRow>(IEnumerable<TRow> data, SchemaDefinition definition) : IDataView where TRow : class
{
    private readonly Member<TRow>[] _members = Member<TRow>.All(definition, SchemaDefinition.Direction.Read);
    private DataViewSchema _schema;
    public DataViewSchema Schema => _schema ??= Member<TRow>.SchemaOf(_members);
    public bool CanShuffle => data is IList<TRow>;
    public long? GetRowCount() => (data as IList<TRow>)?.Count;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        var rows = rand is not null && CanShuffle ? data.ToArray() : data;
        if (rows != data)
            rand.Shuffle((TRow[])rows);
        return new ObjectRow<TRow>(Schema, _members, columnsNeeded, rows);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
        => [GetRowCursor(columnsNeeded, rand)];
}

/// <summary>Reads rows into objects of a class; bound to a schema.</summary>
internal sealed class ObjectReader<TRow>
{
    private readonly Member<TRow>[] _members;

    public ObjectReader(DataViewSchema schema, SchemaDefinition definition, bool ignoreMissing)
    {
        _members = Member<TRow>.All(definition, SchemaDefinition.Direction.Write)
            .Where(m => !ignoreMissing || schema.GetColumnOrNull(m.Column.ColumnName) is not null).ToArray();
        Columns = _members.Select(m => schema.Require(m.Column.ColumnName, "")).ToArray();
        foreach (var (member, column) in _members.Zip(Columns).Where(b => b.First.Column.ColumnType.RawType != b.Second.Type.RawType))
        {
            throw new InvalidOperationException($"Can't bind the IDataView column '{column.Name}' of type '{column.Type}' to field or property "
                + $"'{member.Column.MemberName}' of type '{member.Column.ColumnType.RawType}'.");
        }
    }

    public DataViewSchema.Column[] Columns { get; }

    /// <summary>What fills an object from the current row.</summary>
    public Action<TRow> Bind(DataViewRow row)
    {
        var setters = _members.Zip(Columns, (member, column) => member.Setter(row, column)).ToArray();
        return target => Array.ForEach(setters, set => set(target));
    }
}
