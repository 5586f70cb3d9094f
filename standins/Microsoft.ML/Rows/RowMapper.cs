namespace Microsoft.ML.Rows;

/// <summary>A column that a transformer adds: what it is, from which input columns, and how to read it off a row.</summary>
internal sealed record AddedColumn(DataViewSchema.DetachedColumn Column, int[] Sources, Func<DataViewRow, Delegate> Getter);

/// <summary>A transformer bound to an input schema: the input columns that it keeps, and after them those that it adds.</summary>
internal sealed class RowMapper : IRowToRowMapper
{
    private readonly DataViewSchema.Column[] _kept;
    private readonly AddedColumn[] _added;

    public RowMapper(DataViewSchema inputSchema, IEnumerable<DataViewSchema.Column> kept, IEnumerable<AddedColumn> added)
    {
        (InputSchema, _kept, _added) = (inputSchema, [.. kept], [.. added]);
        OutputSchema = DataViewSchema.Of(_kept.Select(c => new DataViewSchema.DetachedColumn(c)).Concat(_added.Select(a => a.Column)));
    }

    public DataViewSchema InputSchema { get; }
    public DataViewSchema OutputSchema { get; }

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns)
    {
        var needed = dependingColumns.SelectMany(c => c.Index < _kept.Length ? [_kept[c.Index].Index] : _added[c.Index - _kept.Length].Sources).ToHashSet();
        return InputSchema.Where(c => needed.Contains(c.Index)).ToArray();
    }

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns) => new Row(this, input, activeColumns);
    /// <summary>The rows of a data view, each mapped while it is read.</summary>
    public IDataView Map(IDataView input) => new View(OutputSchema,
        (active, random) => new Row(this, input.GetRowCursor(GetDependencies(active), random), active), input.CanShuffle, input.GetRowCount);

    private sealed class Row : DataViewRowCursor
    {
        private readonly RowMapper _mapper;
        private readonly DataViewRow _input;
        private readonly bool[] _active;
        private readonly Delegate[] _added;

        public Row(RowMapper mapper, DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
        {
            (_mapper, _input, _active) = (mapper, input, new bool[mapper.OutputSchema.Count]);
            foreach (var column in activeColumns)
                _active[column.Index] = true;
            _added = mapper._added.Select((a, i) => _active[mapper._kept.Length + i] ? a.Getter(input) : null).ToArray();
        }

        public override DataViewSchema Schema => _mapper.OutputSchema;
        public override long Position => _input.Position;
        public override long Batch => _input.Batch;
        public override bool MoveNext() => ((DataViewRowCursor)_input).MoveNext();
        public override ValueGetter<DataViewRowId> GetIdGetter() => _input.GetIdGetter();
        public override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];
        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => column.Index < _mapper._kept.Length
            ? _input.GetGetter<TValue>(_mapper._kept[column.Index]) : _added[column.Index - _mapper._kept.Length].As<TValue>();
        protected override void Dispose(bool disposing) => _input.Dispose();
    }
}

/// <summary>Mappers one after another, each bound to the output of the one before.</summary>
internal sealed class MapperChain(DataViewSchema inputSchema, IReadOnlyList<IRowToRowMapper> mappers) : IRowToRowMapper
{
    public DataViewSchema InputSchema => inputSchema;
    public DataViewSchema OutputSchema => mappers.Count == 0 ? inputSchema : mappers[^1].OutputSchema;
    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns)
        => mappers.Reverse().Aggregate(dependingColumns, (columns, mapper) => mapper.GetDependencies(columns));

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        // Each mapper need only make active what the next one reads.
        var active = new IEnumerable<DataViewSchema.Column>[mappers.Count];
        for (var (i, needed) = (mappers.Count - 1, activeColumns); i >= 0; needed = mappers[i--].GetDependencies(needed))
            active[i] = needed;
        return mappers.Zip(active).Aggregate(input, (row, next) => next.First.GetRow(row, next.Second));
    }
}
