using Microsoft.ML.Data;

namespace Microsoft.ML.Rows;

/// <summary>A transformer bound to an input schema: the input columns, and after them those that it adds.</summary>
internal abstract class RowMapper : IRowToRowMapper
{
    protected RowMapper(DataViewSchema inputSchema, IEnumerable<DataViewSchema.DetachedColumn> added)
    {
        InputSchema = inputSchema;
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(inputSchema);
        builder.AddColumns(added);
        OutputSchema = builder.ToSchema();
    }

    public DataViewSchema InputSchema { get; }

    public DataViewSchema OutputSchema { get; }

    /// <summary>The indices of the input columns from which an added column is computed.</summary>
    public abstract IEnumerable<int> SourcesOf(int added);

    /// <summary>The getters of the active added columns on a row of the input schema.</summary>
    public abstract Delegate[] CreateGetters(DataViewRow input, bool[] active, out IDisposable resource);

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns)
    {
        var needed = dependingColumns
            .SelectMany(c => c.Index < InputSchema.Count ? [c.Index] : SourcesOf(c.Index - InputSchema.Count)).ToHashSet();
        return InputSchema.Where(c => needed.Contains(c.Index)).ToArray();
    }

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns) => new MappedRow(this, input, activeColumns);
}

/// <summary>A mapper whose added columns are computed independently of each other.</summary>
internal sealed class ColumnwiseMapper(DataViewSchema inputSchema, IReadOnlyList<AddedColumn> added) : RowMapper(inputSchema, added.Select(a => a.Column))
{
    public override IEnumerable<int> SourcesOf(int added1) => added[added1].Sources;

    public override Delegate[] CreateGetters(DataViewRow input, bool[] active, out IDisposable resource)
    {
        resource = null;
        return added.Select((a, i) => active[i] ? a.Getter(input) : null).ToArray();
    }
}

/// <summary>A column that a transformer adds: what it is, from which input columns, and how to read it off a row.</summary>
internal sealed record AddedColumn(DataViewSchema.DetachedColumn Column, int[] Sources, Func<DataViewRow, Delegate> Getter);

/// <summary>A row of the input, and the columns that a mapper adds to it.</summary>
internal sealed class MappedRow : DataViewRow
{
    private readonly DataViewRow _input;
    private readonly Delegate[] _added;
    private readonly IDisposable _resource;
    private readonly bool[] _active;

    public MappedRow(RowMapper mapper, DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        _input = input;
        Schema = mapper.OutputSchema;
        _active = new bool[Schema.Count];
        foreach (var column in activeColumns)
            _active[column.Index] = true;
        _added = mapper.CreateGetters(input, _active[mapper.InputSchema.Count..], out _resource);
    }

    public override DataViewSchema Schema { get; }

    public override long Position => _input.Position;

    public override long Batch => _input.Batch;

    public override ValueGetter<DataViewRowId> GetIdGetter() => _input.GetIdGetter();

    public override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        var added = column.Index - _input.Schema.Count;
        return added < 0 ? _input.GetGetter<TValue>(_input.Schema[column.Index]) : _added[added].As<TValue>();
    }

    protected override void Dispose(bool disposing)
    {
        _resource?.Dispose();
        _input.Dispose();
        base.Dispose(disposing);
    }
}

/// <summary>The rows of a data view, each mapped while it is read.</summary>
internal sealed class MappedDataView(IDataView input, RowMapper mapper) : IDataView
{
    public DataViewSchema Schema => mapper.OutputSchema;

    public bool CanShuffle => input.CanShuffle;

    public long? GetRowCount() => input.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        var needed = columnsNeeded.ToArray();
        return new Cursor(mapper, input.GetRowCursor(mapper.GetDependencies(needed), rand), needed);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
        => [GetRowCursor(columnsNeeded, rand)];

    private sealed class Cursor(RowMapper mapper, DataViewRowCursor input, IEnumerable<DataViewSchema.Column> active)
        : ForwardingCursor(new MappedRow(mapper, input, active))
    {
        public override bool MoveNext() => input.MoveNext();
    }
}
