namespace Microsoft.ML.Rows;

/// <summary>Objects as rows: those of a sequence, or whatever object is put there.</summary>
internal sealed class ObjectRow<TRow> : GetterRow
{
    private readonly IEnumerator<TRow> _rows;
    private TRow _row;

    public ObjectRow(DataViewSchema schema, Member<TRow>[] members, IEnumerable<DataViewSchema.Column> active, IEnumerable<TRow> rows = null)
        : base(schema, active) { _rows = rows?.GetEnumerator(); Activate(column => members[column.Index].Getter(() => _row)); }

    public static IDataView ViewOf(IEnumerable<TRow> data, SchemaDefinition definition)
    {
        var members = Member<TRow>.All(definition, SchemaDefinition.Direction.Read);
        var (schema, list) = (Member<TRow>.SchemaOf(members), data as IList<TRow>);
        return new View(schema, (active, random) => new ObjectRow<TRow>(schema, members, active,
            random is null || list is null ? data : list.OrderBy(_ => random.Next()).ToArray()), list is not null, () => list?.Count);
    }

    public void Put(TRow row) { _row = row ?? throw new ArgumentNullException(nameof(row)); Current++; }

    public override bool MoveNext()
    {
        var more = _rows.MoveNext();
        if (more)
            Put(_rows.Current);
        return more;
    }

    protected override void Dispose(bool disposing) => _rows?.Dispose();
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
