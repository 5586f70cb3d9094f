using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Trainer.Data;

namespace MlNetBatchNorm.Cli.Assessment;

/// <summary>What becomes of features and labels for a linear model.</summary>
internal sealed class LinearRows
{
    // Rows that are read at once.
    private const int RowsOfBlock = 1024;

    // For each feature of the network the first place for it, what is taken off, what it is divided by; NaN = it numbers categories.
    private readonly (int Place, float Mean, float Deviation)[] _slots;
    private readonly int _width;
    private readonly double _mean;
    private readonly double _deviation = 1;

    public LinearRows(FeatureMap map, TrainingData learned)
    {
        var (sums, squares) = (new double[map.FeatureCount], new double[map.FeatureCount]);
        learned.FeatureRows.Visit((_, values, slots) =>
        {
            for (var i = 0; i < values.Length; i++)
            {
                var slot = slots.IsEmpty ? i : slots[i];
                sums[slot] += values[i];
                squares[slot] += (double)values[i] * values[i];
            }
        });
        _slots = new (int, float, float)[map.FeatureCount];
        var first = 0;
        foreach (var column in map.Columns)
        {
            for (var i = 0; i < column.FeatureCount; i++)
            {
                var mean = sums[first + i] / learned.Count;
                var deviation = Math.Sqrt(Math.Max(0, (squares[first + i] / learned.Count) - (mean * mean)));
                _slots[first + i] = column switch
                {
                    EmbeddedFeature => (_width, 0, float.NaN),
                    CategoricalFeature or TextFeature => (_width + i, 0, 1),
                    _ => (_width, (float)mean, deviation > 0 ? (float)deviation : 1),
                };
            }

            first += column.FeatureCount;
            _width += column is EmbeddedFeature embedded ? embedded.AllCategories.Count : column.FeatureCount;
        }

        if (map.FeatureCount == 0 || learned.Outputs > 1) return;
        _mean = learned.TargetArray.Average(target => (double)target);
        _deviation = Math.Sqrt(learned.TargetArray.Average(target => (target - _mean) * (target - _mean)));
        if (!(_deviation > 0)) _deviation = 1;
    }

    /// <summary>Rows for ML.NET, made when they are read.</summary>
    public IDataView View(MLContext ml, TrainingData rows) => View(ml, Made(rows, null), rows.Outputs);

    /// <summary>Rows to learn from, which are read again and again.</summary>
    public IDataView ViewToLearn(MLContext ml, TrainingData rows, IReadOnlyList<float>? classWeights) =>
        View(ml, Made(rows, classWeights).ToArray(), rows.Outputs);

    private IEnumerable<LinearRow> Made(TrainingData rows, IReadOnlyList<float>? classWeights)
    {
        var width = rows.FeatureRows.Width;
        var (values, slots) = (new float[width], new int[width]);
        var block = new float[Math.Min(rows.Count, FeatureRows.RowsAtOnce(RowsOfBlock, width)) * width];
        for (var row = 0; row < rows.Count; row++)
        {
            var place = row % (block.Length / width);
            if (place == 0) rows.FeatureRows.CopyTo(row, Math.Min(block.Length / width, rows.Count - row), block);
            yield return Made(row, block.AsSpan(place * width, width));
        }

        LinearRow Made(int row, ReadOnlySpan<float> features)
        {
            var target = rows.Target(row);
            var index = target.Length == 1 ? (target[0] > 0.5f ? 1 : 0) : target.IndexOf(1f);
            return new LinearRow
            {
                Number = (float)((target[0] - _mean) / _deviation),
                IsPositive = target[0] > 0.5f,
                Class = (uint)index,
                Weight = (rows.WeightArray?[row] ?? 1) * (classWeights?[index] ?? 1),
                Features = Features(features, slots, values),
            };
        }
    }

    private IDataView View(MLContext ml, IEnumerable<LinearRow> made, int outputs)
    {
        var form = SchemaDefinition.Create(typeof(LinearRow));
        form[nameof(LinearRow.Features)].ColumnType = new VectorDataViewType(NumberDataViewType.Single, _width);
        form[nameof(LinearRow.Class)].ColumnType = new KeyDataViewType(typeof(uint), Math.Max(2, outputs));
        return ml.Data.LoadFromEnumerable(made, form);
    }

    /// <summary>A prediction as the network gives it.</summary>
    /// <param name="score">In standard deviations of the labels that were learned from, from their mean.</param>
    public float ToLabel(float score) => (float)((score * _deviation) + _mean);

    private VBuffer<float> Features(ReadOnlySpan<float> row, int[] slots, float[] values)
    {
        var count = 0;
        for (var i = 0; i < row.Length; i++)
        {
            var (place, mean, deviation) = _slots[i];
            if (float.IsNaN(deviation))
            {
                if (row[i] < 1) continue;
                (place, values[count]) = (place + (int)row[i] - 1, 1);
            }
            else
            {
                var value = (row[i] - mean) / deviation;
                if (value == 0) continue;
                values[count] = value;
            }

            slots[count++] = place;
        }

        if (2 * count < _width) return new VBuffer<float>(_width, count, values.AsSpan(0, count).ToArray(), slots[..count]);
        var dense = new float[_width];
        for (var i = 0; i < count; i++) dense[slots[i]] = values[i];
        return new VBuffer<float>(_width, dense);
    }
}

/// <summary>A row for ML.NET.</summary>
internal sealed class LinearRow
{
    public float Number { get; set; }

    public bool IsPositive { get; set; }

    // From 0: ML.NET counts from 1 what is a key, and does so itself on the way from a class.
    public uint Class { get; set; }

    public float Weight { get; set; }

    public VBuffer<float> Features { get; set; }
}
