using MlNetBatchNorm.Onnx.Tables;

namespace MlNetBatchNorm.Onnx.NamedColumns;

/// <summary>A network, which takes features.</summary>
internal sealed class FeatureModel(OnnxScorer scorer, FeatureMap map, string? label, NamedOutputs outputs)
    : NamedModel(RowColumns.Of(map, label), outputs)
{
    /// <inheritdoc/>
    public override int BatchSize => scorer.BatchSize;

    /// <inheritdoc/>
    public override DeviceReport DeviceReport => scorer.DeviceReport;

    /// <inheritdoc/>
    public override IReadOnlyList<TensorInfo> Tensors => scorer.Outputs;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Metadata => scorer.Metadata;

    private protected override RowLane CreateLane() => new Lane(this, scorer, map);

    private protected override void DisposeModel() => scorer.Dispose();

    private protected override void RequireSizes(string path)
    {
        base.RequireSizes(path);
        if (scorer.RowLength != map.FeatureCount)
            throw new InvalidModelException(
                $"'{path}' takes {scorer.RowLength} features, but its metadata describes {map.FeatureCount}; the file has been changed "
                + "since it was trained.");
    }

    private sealed class Lane(NamedModel model, OnnxScorer scorer, FeatureMap map) : RowLane(model)
    {
        private readonly int _width = map.FeatureCount;
        private float[] _features = new float[map.FeatureCount];
        private float[] _values = new float[scorer.ResultLength];

        public override void Reserve(int rows)
        {
            if (_features.Length >= rows * _width) return;
            _features = new float[rows * _width];
            _values = new float[rows * scorer.ResultLength];
        }

        public override void Put(int row)
        {
            var features = _features.AsSpan(row * _width, _width);
            features.Clear();
            var (columns, offset) = (map.Columns, 0);
            for (var i = 0; i < columns.Count; i++)
            {
                var number = Cells.Numbers[i];
                if (columns[i] is NumericFeature numbers)
                {
                    features[offset] = numbers.ValueOf(number);
                }
                else if (columns[i] is TextFeature)
                {
                    Cells.Terms[i].WriteTo(features[offset..]);
                }
                else if (number >= 0)
                {
                    var (slot, value) = ((CategoricalFeature)columns[i]).FeatureOf((int)number, offset);
                    features[slot] = value;
                }

                offset += columns[i].FeatureCount;
            }
        }

        public override ReadOnlySpan<float> Run(int rows)
        {
            var values = _values.AsSpan(0, rows * scorer.ResultLength);
            if (rows == 1) scorer.Score(_features.AsSpan(0, _width), values);
            else scorer.ScoreBatch(_features.AsSpan(0, rows * _width), rows, values);
            return values;
        }

        public override void Dispose()
        {
        }
    }
}
