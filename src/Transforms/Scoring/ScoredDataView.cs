using Microsoft.ML;

namespace MlNetBatchNorm.Transforms;

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
        return new ScoredCursor(_input.GetRowCursor(InputsFor(active), rand), Schema, active, _scoring);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null)
    {
        var active = Active(columnsNeeded);
        return Array.ConvertAll(
            _input.GetRowCursorSet(InputsFor(active), n, rand),
            DataViewRowCursor (cursor) => new ScoredCursor(cursor, Schema, active, _scoring));
    }

    private bool[] Active(IEnumerable<DataViewSchema.Column> columns)
    {
        var active = new bool[Schema.Count];
        foreach (var column in columns) active[column.Index] = true;
        return active;
    }

    // What is asked for, and the features if a score is; nothing else is read.
    private List<DataViewSchema.Column> InputsFor(bool[] active)
    {
        var needed = _input.Schema.Where(column => active[column.Index]).ToList();
        if (active.AsSpan(_input.Schema.Count).Contains(true))
        {
            var features = _scoring.RequireFeatures(_input.Schema);
            if (!active[features.Index]) needed.Add(features);
        }

        return needed;
    }
}
