using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// Reads ahead, scores a batch at a time, and hands the rows out one by one. The first batches are small, so that taking a few rows from a
/// large view stays cheap.
/// </summary>
internal sealed class ScoredCursor : DataViewRowCursor
{
    private const int FirstBatch = 16;
    private const int LargestBatch = 1024;

    private readonly DataViewRowCursor _input;
    private readonly RowScoring _scoring;
    private readonly bool[] _active;
    private readonly int _inputColumns;
    private readonly ColumnBuffer?[] _buffers;
    private readonly ValueGetter<VBuffer<float>>? _getFeatures;
    private readonly ValueGetter<DataViewRowId> _getId;
    private readonly DataViewRowId[] _ids = new DataViewRowId[LargestBatch];
    private readonly long[] _batches = new long[LargestBatch];
    private readonly float[] _features = [];
    private readonly float[] _results = [];
    private readonly float[] _current = [];
    private VBuffer<float> _vector;
    private long _position = -1;
    private long _currentFrom = -1;
    private int _next;
    private int _count;
    private int _batchSize = FirstBatch;

    public ScoredCursor(DataViewRowCursor input, DataViewSchema schema, bool[] active, RowScoring scoring)
    {
        _input = input;
        _scoring = scoring;
        _active = active;
        Schema = schema;
        _inputColumns = input.Schema.Count;
        _buffers = new ColumnBuffer?[_inputColumns];
        foreach (var column in input.Schema)
            if (active[column.Index]) _buffers[column.Index] = ColumnBuffer.Create(input, column, LargestBatch);
        _getId = input.GetIdGetter();
        if (!active.AsSpan(_inputColumns).Contains(true)) return;
        _getFeatures = input.GetGetter<VBuffer<float>>(scoring.RequireFeatures(input.Schema));
        _features = new float[LargestBatch * scoring.Scorer.RowLength];
        _results = new float[LargestBatch * scoring.Scorer.ResultLength];
        _current = new float[scoring.Scorer.ResultLength];
    }

    public override DataViewSchema Schema { get; }

    public override long Position => _position;

    public override long Batch => _position < 0 ? 0 : _batches[_next];

    public override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];

    public override bool MoveNext()
    {
        if (_position >= 0) _next++;
        if (_next >= _count && !ReadBatch()) return false;
        _position++;
        return true;
    }

    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId value) => value = _ids[_next];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (!_active[column.Index])
            throw new InvalidOperationException($"The column '{column.Name}' was not asked for when the cursor was made.");
        var getter = column.Index < _inputColumns
            ? _buffers[column.Index]!.Getter(() => _next)
            : _scoring.Columns[column.Index - _inputColumns].CreateGetter(CurrentResult);
        return getter as ValueGetter<TValue>
            ?? throw new InvalidOperationException($"The column '{column.Name}' has the type {column.Type}, not {typeof(TValue).Name}.");
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _input.Dispose();
        base.Dispose(disposing);
    }

    private bool ReadBatch()
    {
        _count = _next = 0;
        var width = _scoring.Scorer.RowLength;
        while (_count < _batchSize && _input.MoveNext())
        {
            foreach (var buffer in _buffers) buffer?.Store(_count);
            _getId(ref _ids[_count]);
            _batches[_count] = _input.Batch;
            if (_getFeatures is not null)
            {
                _getFeatures(ref _vector);
                FeatureVector.Copy(_vector, _features.AsSpan(_count * width, width), _scoring.FeatureColumnName, _input.Position);
            }

            _count++;
        }

        _batchSize = Math.Min(_batchSize * 2, LargestBatch);
        if (_count == 0) return false;
        if (_getFeatures is not null)
            _scoring.Scorer.ScoreBatch(_features.AsSpan(0, _count * width), _count, _results.AsSpan(0, _count * _scoring.Scorer.ResultLength));
        return true;
    }

    // The scorer gives output by output; a row's result is gathered once, whichever columns are read.
    private ReadOnlyMemory<float> CurrentResult()
    {
        if (_currentFrom != _position)
        {
            int start = 0, to = 0;
            foreach (var output in _scoring.Scorer.Outputs)
            {
                var width = (int)output.Shape.Skip(1).Aggregate(1L, (product, size) => product * size.Size!.Value);
                _results.AsSpan(start + (_next * width), width).CopyTo(_current.AsSpan(to));
                start += _count * width;
                to += width;
            }

            _currentFrom = _position;
        }

        return _current;
    }
}
