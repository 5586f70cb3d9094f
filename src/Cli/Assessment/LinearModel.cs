using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Trainers;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Cli.Assessment;

/// <summary>
/// A linear model of ML.NET's beside the network, on the same columns and rows: logistic regression by L-BFGS, or linear regression by
/// stochastic dual coordinate ascent. Where it is as good, it is the better choice.
/// </summary>
/// <remarks>
/// Numbers are standardized, and a column of many categories, for which the network learns a vector, is a flag for each category. Where
/// learning would take long, some of the rows are drawn.
/// </remarks>
internal sealed class LinearModel
{
    // Rows times what is not 0 in them, times classes: a second or two.
    private const long MostProducts = 1 << 21;
    private const int Iterations = 60;

    private LinearModel(string trainer, int rows, int allRows, MetricValues test, IReadOnlyList<(Metric, Interval)> ahead) =>
        (Trainer, Rows, AllRows, Test, NetworkAhead) = (trainer, rows, allRows, test, ahead);

    /// <summary>ML.NET's name of its trainer.</summary>
    public string Trainer { get; }

    /// <summary>The rows that it learned from.</summary>
    public int Rows { get; }

    /// <summary>The rows that the network learned from.</summary>
    public int AllRows { get; }

    /// <summary>Its figures on the test rows.</summary>
    public MetricValues Test { get; }

    /// <summary>By how much the network is better by each figure, on the same test rows; below 0 where it is worse.</summary>
    public IReadOnlyList<(Metric Metric, Interval Ahead)> NetworkAhead { get; }

    /// <summary>Learns, and tests on the rows that the network was tested on.</summary>
    /// <param name="trained">The network.</param>
    /// <param name="table">The rows that it learned from.</param>
    /// <param name="classWeights">How much each class counts; null = every row the same.</param>
    /// <param name="clusters">For each test row what it belongs to; empty = nothing.</param>
    /// <param name="seed">The seed of what is drawn.</param>
    /// <returns>Null where ML.NET's trainer fails, as its coordinate ascent does on labels that are noise.</returns>
    public static LinearModel? Of(TrainedTable trained, CsvTable table, ClassWeights? classWeights, int[] clusters, int seed)
    {
        var (schema, tested) = (trained.Schema, trained.Tested.Rows);
        var most = (int)Math.Min(
            table.RowCount, Math.Max(1000, MostProducts / ((long)schema.Features.Columns.Count * tested.Outputs)));
        var rows = table;
        if (most < table.RowCount)
        {
            int[] drawn = [.. Enumerable.Range(0, table.RowCount)];
            new Random(seed).Shuffle(drawn);
            Array.Sort(drawn, 0, most);
            rows = table.Select(drawn.AsSpan(0, most));
        }

        var learned = schema.ToRows(rows).CountedFrom(tested.TargetOffset);
        var form = new Form(schema.Features, learned);
        var weights = classWeights?.For(schema.Label.Classes, learned);
        var ml = new MLContext(seed);
        var (trainer, estimator) = Create(ml, schema.Label.Task.Kind);
        float[] predictions;
        try
        {
            var scored = estimator.Fit(form.View(ml, learned, weights)).Transform(form.View(ml, tested, null));
            predictions = form.Predictions(scored, schema.Label.Task.Kind, tested);
        }
        catch (Exception exception) when (exception is InvalidOperationException or ArgumentException)
        {
            return null;
        }

        if (!Array.TrueForAll(predictions, float.IsFinite)) return null;
        var predicted = new PredictedRows(predictions, tested.TargetArray, tested.Outputs, tested.WeightArray);
        var test = MetricValues.Measure([.. trained.TestMetrics.Select(figure => figure.Metric)], predicted);
        return new LinearModel(trainer, learned.Count, table.RowCount, test, trained.AheadOf(predictions, clusters));
    }

    private static (string Name, IEstimator<ITransformer> Trainer) Create(MLContext ml, LearningTask task)
    {
        // One thread: the same seed gives the same model.
        const float L1 = 0, L2 = 1, Tolerance = 1e-5f;
        const string Features = nameof(LinearRow.Features), Weight = nameof(LinearRow.Weight);
        return task switch
        {
            LearningTask.Binary => ("LbfgsLogisticRegression", ml.BinaryClassification.Trainers.LbfgsLogisticRegression(
                new LbfgsLogisticRegressionBinaryTrainer.Options
                {
                    LabelColumnName = nameof(LinearRow.IsPositive),
                    FeatureColumnName = Features,
                    ExampleWeightColumnName = Weight,
                    L1Regularization = L1,
                    L2Regularization = L2,
                    OptimizationTolerance = Tolerance,
                    MaximumNumberOfIterations = Iterations,
                    NumberOfThreads = 1,
                })),
            LearningTask.Multiclass => ("LbfgsMaximumEntropy", ml.MulticlassClassification.Trainers.LbfgsMaximumEntropy(
                new LbfgsMaximumEntropyMulticlassTrainer.Options
                {
                    LabelColumnName = nameof(LinearRow.Class),
                    FeatureColumnName = Features,
                    ExampleWeightColumnName = Weight,
                    L1Regularization = L1,
                    L2Regularization = L2,
                    OptimizationTolerance = Tolerance,
                    MaximumNumberOfIterations = Iterations,
                    NumberOfThreads = 1,
                })),
            _ => ("Sdca", ml.Regression.Trainers.Sdca(new SdcaRegressionTrainer.Options
            {
                LabelColumnName = nameof(LinearRow.Number),
                FeatureColumnName = Features,
                ExampleWeightColumnName = Weight,
                MaximumNumberOfIterations = Iterations,
                NumberOfThreads = 1,
            })),
        };
    }

    /// <summary>A row for ML.NET.</summary>
    private sealed class LinearRow
    {
        public float Number { get; set; }

        public bool IsPositive { get; set; }

        // From 0: ML.NET counts from 1 what is a key, and does so itself on the way from a class.
        public uint Class { get; set; }

        public float Weight { get; set; }

        public VBuffer<float> Features { get; set; }
    }

    /// <summary>What becomes of features and labels for a linear model.</summary>
    private sealed class Form
    {
        // For each feature of the network the first place for it, what is taken off, what it is divided by; NaN = it numbers categories.
        private readonly (int Place, float Mean, float Deviation)[] _slots;
        private readonly int _width;
        private readonly double _mean;
        private readonly double _deviation = 1;

        public Form(FeatureMap map, TrainingData learned)
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

        public IDataView View(MLContext ml, TrainingData rows, IReadOnlyList<float>? classWeights)
        {
            var made = new LinearRow[rows.Count];
            var (values, slots) = (new float[rows.FeatureRows.Width], new int[rows.FeatureRows.Width]);
            var whole = new float[rows.FeatureRows.Width];
            for (var row = 0; row < made.Length; row++)
            {
                var target = rows.Target(row);
                var index = target.Length == 1 ? (target[0] > 0.5f ? 1 : 0) : target.IndexOf(1f);
                made[row] = new LinearRow
                {
                    Number = (float)((target[0] - _mean) / _deviation),
                    IsPositive = target[0] > 0.5f,
                    Class = (uint)index,
                    Weight = (rows.WeightArray?[row] ?? 1) * (classWeights?[index] ?? 1),
                    Features = Features(rows.FeatureRows.Read(row, whole), slots, values),
                };
            }

            var form = SchemaDefinition.Create(typeof(LinearRow));
            form[nameof(LinearRow.Features)].ColumnType = new VectorDataViewType(NumberDataViewType.Single, _width);
            form[nameof(LinearRow.Class)].ColumnType = new KeyDataViewType(typeof(uint), Math.Max(2, rows.Outputs));
            return ml.Data.LoadFromEnumerable(made, form);
        }

        /// <summary>The predictions as the network gives them.</summary>
        public float[] Predictions(IDataView scored, LearningTask task, TrainingData rows)
        {
            var predictions = new float[rows.TargetArray.Length];
            var at = 0;
            switch (task)
            {
                case LearningTask.Binary:
                    foreach (var probability in scored.GetColumn<float>("Probability")) predictions[at++] = probability;
                    break;
                case LearningTask.Multiclass:
                    foreach (var probabilities in scored.GetColumn<VBuffer<float>>("Score"))
                    {
                        probabilities.CopyTo(predictions, at);
                        at += rows.Outputs;
                    }

                    break;
                default:
                    foreach (var score in scored.GetColumn<float>("Score")) predictions[at++] = (float)((score * _deviation) + _mean);
                    break;
            }

            return predictions;
        }

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
}
