using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Scoring;

/// <summary>A data view with scores, computed a batch at a time while a cursor moves.</summary>
internal sealed class ScoredDataView : IDataView
{
    private readonly IDataView _input;
    private readonly RowScoring _scoring;

    public ScoredDataView(IDataView input, RowScoring scoring)
    {
        _input = input;
        _scoring = scoring;
        Schema = scoring.OutputSchema(input.Schema);
    }

    public DataViewSchema Schema { get; }

    public bool CanShuffle => _input.CanShuffle;

    public long? GetRowCount() => _input.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        var active = Active(columnsNeeded);
        return Cursor(_input.GetRowCursor(InputsFor(active), rand), active);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null)
    {
        var active = Active(columnsNeeded);
        return Array.ConvertAll(_input.GetRowCursorSet(InputsFor(active), n, rand), cursor => Cursor(cursor, active));
    }

    private DataViewRowCursor Cursor(DataViewRowCursor input, bool[] active) => IsScored(active)
        ? new ScoredCursor(input, Schema, active, _scoring)
        : new PassingCursor(input, Schema, active);

    private bool[] Active(IEnumerable<DataViewSchema.Column> columns)
    {
        var active = new bool[Schema.Count];
        foreach (var column in columns) active[column.Index] = true;
        return active;
    }

    private bool IsScored(bool[] active) => active.AsSpan(_input.Schema.Count).Contains(true);

    // What is asked for, and what the model reads if a score is; nothing else is read.
    private List<DataViewSchema.Column> InputsFor(bool[] active)
    {
        var needed = _input.Schema.Where(column => active[column.Index]).ToList();
        if (IsScored(active)) needed.AddRange(_scoring.RequireInputs(_input.Schema).Where(column => !active[column.Index]).Distinct());
        return needed;
    }
}

/// <summary>
/// The input's cursor under the schema of a scored view, for readers that ask for none of the added columns: nothing is scored or copied.
/// </summary>
internal sealed class PassingCursor(DataViewRowCursor input, DataViewSchema schema, bool[] active) : DataViewRowCursor
{
    public override DataViewSchema Schema => schema;

    public override long Position => input.Position;

    public override long Batch => input.Batch;

    public override bool IsColumnActive(DataViewSchema.Column column) => active[column.Index];

    public override bool MoveNext() => input.MoveNext();

    public override ValueGetter<DataViewRowId> GetIdGetter() => input.GetIdGetter();

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => active[column.Index]
        ? input.GetGetter<TValue>(input.Schema[column.Index])
        : throw new InvalidOperationException($"The column '{column.Name}' was not asked for when the cursor was made.");

    protected override void Dispose(bool disposing)
    {
        if (disposing) input.Dispose();
        base.Dispose(disposing);
    }
}
