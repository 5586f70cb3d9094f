using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx.Execution.Scoring;

namespace MlNetBatchNorm.Transforms.Scoring;

/// <summary>A row with its scores. They are computed when first read, once for each position of the input, without allocating.</summary>
internal sealed class ScoredRow : DataViewRow, ICurrentRow
{
    private readonly DataViewRow _input;
    private readonly bool[] _active;
    private readonly RowScoring _scoring;
    private readonly RowBlock? _block;
    private readonly RowFeed[] _feeds = [];
    private long _scoredPosition = -1;

    public ScoredRow(DataViewRow input, DataViewSchema schema, bool[] active, RowScoring scoring)
    {
        _input = input;
        _active = active;
        _scoring = scoring;
        Schema = schema;
        if (!active.AsSpan(input.Schema.Count).Contains(true)) return;
        _block = scoring.CreateSingle();
        _feeds = scoring.CreateFeeds(input, _block);
    }

    public override DataViewSchema Schema { get; }

    public override long Position => _input.Position;

    public override long Batch => _input.Batch;

    int ICurrentRow.Index
    {
        get
        {
            var position = _input.Position;
            if (_scoredPosition != position || position < 0)
            {
                foreach (var feed in _feeds) feed.Read(0);
                _scoring.Run(_block!, 1);
                _scoredPosition = position;
            }

            return 0;
        }
    }

    public override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];

    public override ValueGetter<DataViewRowId> GetIdGetter() => _input.GetIdGetter();

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (!_active[column.Index])
            throw new InvalidOperationException($"The column '{column.Name}' was not asked for when the row was made.");
        return column.Index < _input.Schema.Count
            ? _input.GetGetter<TValue>(_input.Schema[column.Index])
            : _scoring.CreateGetter<TValue>(column.Index - _input.Schema.Count, _block!, this);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _input.Dispose();
            _block?.Dispose();
        }

        base.Dispose(disposing);
    }
}

/// <summary>Scores one row at a time: what <c>PredictionEngine</c> uses.</summary>
internal sealed class ScoringRowMapper : IRowToRowMapper
{
    private readonly RowScoring _scoring;
    private readonly DataViewSchema.Column[] _inputs;

    public ScoringRowMapper(DataViewSchema input, RowScoring scoring)
    {
        _scoring = scoring;
        _inputs = scoring.RequireInputs(input);
        InputSchema = input;
        OutputSchema = scoring.OutputSchema(input);
    }

    public DataViewSchema InputSchema { get; }

    public DataViewSchema OutputSchema { get; }

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns)
    {
        var needed = new bool[InputSchema.Count];
        foreach (var column in dependingColumns)
        {
            if (column.Index < InputSchema.Count) needed[column.Index] = true;
            else foreach (var input in _inputs) needed[input.Index] = true;
        }

        return InputSchema.Where(column => needed[column.Index]);
    }

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        var active = new bool[OutputSchema.Count];
        foreach (var column in activeColumns) active[column.Index] = true;
        return new ScoredRow(input, OutputSchema, active, _scoring);
    }
}
