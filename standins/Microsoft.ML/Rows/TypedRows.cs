using Microsoft.ML.Data;

namespace Microsoft.ML.Rows;

/// <summary>The objects of a collection as rows.</summary>
internal sealed class EnumerableDataView<TRow>(IEnumerable<TRow> data, SchemaDefinition definition) : IDataView where TRow : class
{
    private readonly MemberBinding<TRow>[] _members = MemberBinding<TRow>.CreateAll(definition, SchemaDefinition.Direction.Read);
    private DataViewSchema _schema;

    public DataViewSchema Schema => _schema ??= ObjectRow<TRow>.SchemaOf(_members);

    public bool CanShuffle => data is IList<TRow>;

    public long? GetRowCount() => (data as IList<TRow>)?.Count;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        var rows = data;
        if (rand is not null && CanShuffle)
        {
            var shuffled = data.ToArray();
            rand.Shuffle(shuffled);
            rows = shuffled;
        }
        return new Cursor(Schema, _members, columnsNeeded, rows.GetEnumerator());
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
        => [GetRowCursor(columnsNeeded, rand)];

    private sealed class Cursor(
        DataViewSchema schema, MemberBinding<TRow>[] members, IEnumerable<DataViewSchema.Column> active, IEnumerator<TRow> rows)
        : ForwardingCursor(new ObjectRow<TRow>(schema, members, active))
    {
        public override bool MoveNext()
        {
            if (!rows.MoveNext())
                return false;
            ((ObjectRow<TRow>)Row).Current = rows.Current;
            return true;
        }

        protected override void Dispose(bool disposing)
        {
            rows.Dispose();
            base.Dispose(disposing);
        }
    }
}

/// <summary>An object as a row; another can be put in its place at any time.</summary>
internal sealed class ObjectRow<TRow> : DataViewRow
{
    private readonly Delegate[] _getters;
    private TRow _current;
    private long _position = -1;

    public ObjectRow(DataViewSchema schema, MemberBinding<TRow>[] members, IEnumerable<DataViewSchema.Column> active)
    {
        Schema = schema;
        _getters = new Delegate[members.Length];
        foreach (var column in active)
            _getters[column.Index] = members[column.Index].Getter(() => _current);
    }

    public override DataViewSchema Schema { get; }

    public override long Position => _position;

    public override long Batch => 0;

    public TRow Current
    {
        set
        {
            _current = value ?? throw new ArgumentNullException(nameof(value), "A row object is null.");
            _position++;
        }
    }

    public static DataViewSchema SchemaOf(MemberBinding<TRow>[] members)
    {
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(members.Select(m => m.Detached));
        return builder.ToSchema();
    }

    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) => id = new DataViewRowId((ulong)_position, 0);

    public override bool IsColumnActive(DataViewSchema.Column column) => _getters[column.Index] is not null;

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => _getters[column.Index].As<TValue>();
}

/// <summary>Reads rows into objects of a class; bound to a schema.</summary>
internal sealed class ObjectReader<TRow>
{
    private readonly MemberBinding<TRow>[] _members;

    public ObjectReader(DataViewSchema schema, SchemaDefinition definition, bool ignoreMissing)
    {
        _members = MemberBinding<TRow>.CreateAll(definition, SchemaDefinition.Direction.Write)
            .Where(m => !ignoreMissing || schema.GetColumnOrNull(m.Column.ColumnName) is not null).ToArray();
        Columns = _members.Select(m => schema.Require(m.Column.ColumnName, "")).ToArray();
        for (var i = 0; i < _members.Length; i++)
        {
            var (expected, actual) = (_members[i].Column.ColumnType, Columns[i].Type);
            if (expected is VectorDataViewType != actual is VectorDataViewType || expected.RawType != actual.RawType)
            {
                throw new InvalidOperationException($"Can't bind the IDataView column '{Columns[i].Name}' of type '{actual}' to field or property "
                    + $"'{_members[i].Column.MemberName}' of type '{expected.RawType.FullName}'.");
            }
        }
    }

    public DataViewSchema.Column[] Columns { get; }

    /// <summary>What fills an object from the current row.</summary>
    public Action<TRow> Bind(DataViewRow row)
    {
        var setters = _members.Select((m, i) => m.Setter(row, Columns[i])).ToArray();
        return target =>
        {
            foreach (var setter in setters)
                setter(target);
        };
    }
}
