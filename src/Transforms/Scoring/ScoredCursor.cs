using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx.Execution.Scoring;

namespace MlNetBatchNorm.Transforms.Scoring;

/// <summary>
/// Reads ahead, scores a batch at a time, and hands the rows out one by one. The first batches are small, so that taking a few rows from a
/// large view stays cheap.
/// </summary>
internal sealed class ScoredCursor : DataViewRowCursor, ICurrentRow
{
    private const int FirstBatch = 16;

    private readonly DataViewRowCursor _input;
    private readonly RowScoring _scoring;
    private readonly bool[] _active;
    private readonly int _inputColumns;
    private readonly ColumnBuffer?[] _buffers;
    private readonly ColumnBuffer[] _kept;
    private readonly RowBlock _block;
    private readonly RowFeed[] _feeds;
    private readonly ValueGetter<DataViewRowId> _getId;
    private readonly DataViewRowId[] _ids;
    private readonly long[] _batches;
    private long _position = -1;
    private int _next;
    private int _count;
    private int _batchSize;
    private bool _ended;
    private long _unanswered;

    public ScoredCursor(DataViewRowCursor input, DataViewSchema schema, bool[] active, RowScoring scoring)
    {
        _input = input;
        _scoring = scoring;
        _active = active;
        Schema = schema;
        _inputColumns = input.Schema.Count;
        _block = scoring.CreateBatch();
        _feeds = scoring.CreateFeeds(input, _block);
        _buffers = new ColumnBuffer?[_inputColumns];
        foreach (var column in input.Schema)
            if (active[column.Index]) _buffers[column.Index] = ColumnBuffer.Create(input, column, _block.Capacity);
        _kept = [.. _buffers.OfType<ColumnBuffer>()];
        _getId = input.GetIdGetter();
        _ids = new DataViewRowId[_block.Capacity];
        _batches = new long[_block.Capacity];
        _batchSize = Math.Min(FirstBatch, _block.Capacity);
    }

    public override DataViewSchema Schema { get; }

    public override long Position => _position;

    public override long Batch => _position < 0 ? 0 : _batches[_next];

    int ICurrentRow.Index => _position >= 0
        ? _next
        : throw new InvalidOperationException("The cursor is not on a row: call MoveNext, and read values only while it returns true.");

    public override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];

    public override bool MoveNext()
    {
        if (_ended) return false;
        if (_position >= 0) _next++;
        if (_next >= _count && !ReadBatch())
        {
            _scoring.Watch?.Ended(_position + 1, _unanswered);
            _ended = true;
            _position = -1;
            return false;
        }

        _position++;
        return true;
    }

    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId value) => value = _ids[((ICurrentRow)this).Index];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (!_active[column.Index])
            throw new InvalidOperationException($"The column '{column.Name}' was not asked for when the cursor was made.");
        if (column.Index >= _inputColumns) return _scoring.CreateGetter<TValue>(column.Index - _inputColumns, _block, this);
        return _buffers[column.Index]!.Getter(this) as ValueGetter<TValue>
            ?? throw new InvalidOperationException($"The column '{column.Name}' has the type {column.Type}, not {typeof(TValue).Name}.");
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _ended = true;
            _position = -1;
            _input.Dispose();
            _block.Dispose();
        }

        base.Dispose(disposing);
    }

    private bool ReadBatch()
    {
        _count = _next = 0;
        while (_count < _batchSize && _input.MoveNext())
        {
            foreach (var buffer in _kept) buffer.Store(_count);
            foreach (var feed in _feeds) feed.Read(_count);
            _getId(ref _ids[_count]);
            _batches[_count] = _input.Batch;
            _count++;
        }

        _batchSize = Math.Min(_batchSize * 2, _block.Capacity);
        if (_count == 0) return false;
        _scoring.Run(_block, _count);
        if (_scoring.Watch is not null) _unanswered += ScoreWatch.CountUnanswered(_block.Output<float>(0).Span, _count, _block.Capacity);
        return true;
    }
}
