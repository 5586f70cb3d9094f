using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms;

/// <summary>A row with its scores. They are computed when first read, once for each position of the input, without allocating.</summary>
internal sealed class ScoredRow : DataViewRow
{
    private readonly DataViewRow _input;
    private readonly bool[] _active;
    private readonly RowScoring _scoring;
    private readonly ValueGetter<VBuffer<float>>? _getFeatures;
    private readonly float[] _features;
    private readonly float[] _result;
    private VBuffer<float> _vector;
    private long _scoredPosition = -1;

    public ScoredRow(DataViewRow input, DataViewSchema schema, bool[] active, DataViewSchema.Column features, RowScoring scoring)
    {
        _input = input;
        _active = active;
        _scoring = scoring;
        Schema = schema;
        _features = new float[scoring.Scorer.RowLength];
        _result = new float[scoring.Scorer.ResultLength];
        if (active.AsSpan(input.Schema.Count).Contains(true)) _getFeatures = input.GetGetter<VBuffer<float>>(features);
    }

    public override DataViewSchema Schema { get; }

    public override long Position => _input.Position;

    public override long Batch => _input.Batch;

    public override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];

    public override ValueGetter<DataViewRowId> GetIdGetter() => _input.GetIdGetter();

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (!_active[column.Index])
            throw new InvalidOperationException($"The column '{column.Name}' was not asked for when the row was made.");
        if (column.Index < _input.Schema.Count) return _input.GetGetter<TValue>(_input.Schema[column.Index]);
        return _scoring.Columns[column.Index - _input.Schema.Count].CreateGetter(CurrentResult) as ValueGetter<TValue>
            ?? throw new InvalidOperationException($"The column '{column.Name}' has the type {column.Type}, not {typeof(TValue).Name}.");
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _input.Dispose();
        base.Dispose(disposing);
    }

    private ReadOnlyMemory<float> CurrentResult()
    {
        if (_scoredPosition != _input.Position || _scoredPosition < 0)
        {
            _getFeatures!(ref _vector);
            FeatureVector.Copy(_vector, _features, _scoring.FeatureColumnName, _input.Position);
            _scoring.Scorer.Score(_features, _result);
            _scoredPosition = _input.Position;
        }

        return _result;
    }
}
