using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Tables;
using MlNetBatchNorm.Transforms.Interop;
using MlNetBatchNorm.Transforms.Rows;
using MlNetBatchNorm.Transforms.Saving;
using MlNetBatchNorm.Transforms.Scoring;
using MlNetBatchNorm.Transforms.Tasks;
using MlNetBatchNorm.Transforms.Training;

namespace MlNetBatchNorm
{
    /// <summary>Trains a batch-normalised network for a number. Made by <c>ml.Regression.Trainers.BatchNormNetwork(…)</c>.</summary>
    public sealed class BatchNormRegressionTrainer : BatchNormTrainer<BatchNormRegressionTransformer>
    {
        internal BatchNormRegressionTrainer(BatchNormNetworkOptions options, IHostEnvironment? environment)
            : base(NetworkTask.Of(LearningTask.Regression), options, environment)
        {
        }
    }

    /// <summary>A network for a number: adds <c>Score</c> (Single, in the unit of the label) to its input.</summary>
    public sealed class BatchNormRegressionTransformer : BatchNormTransformer
    {
        internal BatchNormRegressionTransformer(NetworkTask task, NetworkParts parts)
            : base(task, parts)
        {
        }

        /// <inheritdoc/>
        public override BatchNormRegressionTransformer RecomputeStatistics(IDataView rows) =>
            (BatchNormRegressionTransformer)Recompute(rows);
    }

    /// <summary>What a regression model says of a row. Also a ready-made class for <c>CreatePredictionEngine</c>.</summary>
    public sealed class RegressionPrediction
    {
        /// <summary>The predicted number, in the unit of the label.</summary>
        public float Score { get; set; }
    }
}

namespace MlNetBatchNorm.Transforms.Tasks
{
    /// <summary>A number: a label of Single, Double or Int64, and a score in its unit.</summary>
    internal sealed class RegressionTask : NetworkTask
    {
        // The most rows that a dropout helps to learn from; of more, a network of this size learns little by heart, and it only costs.
        private const int FewRows = 5000;
        private const string Score = nameof(RegressionPrediction.Score);

        // How many standard deviations a mean may be from zero: what squares lose, 6e-8 of the mean's, is then 6 % of the variance.
        private const double FarFromZero = 1000;

        /// <inheritdoc/>
        public override LearningTask Kind => LearningTask.Regression;

        /// <inheritdoc/>
        public override Loss Loss => Loss.SquaredError;

        // No rows held out: the best epoch on a few hundred rows is chance where single rows can be far off, and the rows are worth more in
        // training.

        /// <inheritdoc/>
        protected override BatchNormNetworkOptions FastDefaults { get; } = new()
        {
            HiddenLayers = [128, 64],
            Activation = Activation.Relu,
            Epochs = 60,
            EarlyStoppingPatience = 0,
            ValidationFraction = 0,
            Optimizer = Optimizer.AdamW(3e-3f),
            Schedule = LearningRateSchedule.Cosine(),
        };

        /// <inheritdoc/>
        protected override float DropoutFor(int rows) => rows <= FewRows ? 0.5f : 0;

        /// <inheritdoc/>
        public override (Type RawType, bool IsKey, string Advice) ExpectedLabel =>
            (typeof(float), false, "Single, Double or Int64 was expected. Put ConvertType in front of the trainer.");

        /// <inheritdoc/>
        public override bool TakesLabel(Type rawType, bool isKey) =>
            !isKey && (rawType == typeof(float) || rawType == typeof(double) || rawType == typeof(long));

        /// <inheritdoc/>
        public override IReadOnlyList<string> Outputs { get; } = [TrainedNetwork.ScoreOutput];

        /// <inheritdoc/>
        public override ClassLabels Classes(DataViewSchema.Column label) => ClassLabels.None;

        /// <inheritdoc/>
        public override TrainingData ReadRows(TrainingRowReader reader, CancellationToken cancellationToken)
        {
            var type = reader.Label.Type.RawType;
            return type == typeof(double) ? ReadExact<double>(reader, value => value, cancellationToken)
                : type == typeof(long) ? ReadExact<long>(reader, value => value, cancellationToken)
                : reader.Read<float>(1, SetTarget, cancellationToken);
        }

        /// <inheritdoc/>
        public override void RequireDifferentLabels(TrainingData rows, string label)
        {
            if (Array.TrueForAll(rows.TargetArray, target => target == rows.TargetArray[0]))
                throw new InvalidDataException(
                    $"The label column '{label}' is {rows.TargetOffset + rows.TargetArray[0]} in all {rows.Count} rows; there is "
                    + "nothing to learn.");
            RequireSize(rows.TargetArray.Max(Math.Abs), label);
        }

        /// <inheritdoc/>
        public override TrainingWarning? Doubt(TrainingData rows, DataViewSchema.Column label)
        {
            var mean = rows.TargetArray.Average(target => (double)target);
            var deviation = Math.Sqrt(rows.TargetArray.Average(target => (target - mean) * (target - mean)));
            return Math.Abs(mean) <= FarFromZero * deviation
                ? null
                : new TrainingWarning(TrainingWarningKind.LabelFarFromZero, null, string.Create(
                    CultureInfo.InvariantCulture,
                    $"The label column '{label.Name}' is {mean:G6} in the mean with a standard deviation of {deviation:G3}. The network "
                    + $"learns it all the same, but ML.NET's evaluator squares labels in float32, and its RSquared means nothing then. "
                    + $"Take off something near the mean first."));
        }

        /// <inheritdoc/>
        public override IReadOnlyList<string> ColumnNames { get; } = [Score];

        /// <inheritdoc/>
        public override IReadOnlyList<string> SavedNames { get; } = [SavedOutput.ColumnName];

        /// <inheritdoc/>
        public override IReadOnlyList<ScoreColumn> Columns(ClassLabels classes) =>
            [ScoreColumn.Of<float, float>(Score, NumberDataViewType.Single, 0, 1, row => row[0])];

        /// <inheritdoc/>
        public override SchemaShape AppendColumns(SchemaShape input, string label) => MlNetInternals.Append<RegressionPrediction>(input);

        /// <inheritdoc/>
        public override IReadOnlyDictionary<string, Value> EmitColumns(GraphBuilder nodes, IReadOnlyDictionary<string, Value> outputs) =>
            new Dictionary<string, Value> { [Score] = outputs[TrainedNetwork.ScoreOutput] };

        /// <summary>The number as a vector, and a mapping to a scalar.</summary>
        public override SavedForm ToSaved(ModelProto folded, ClassLabels classes)
        {
            var (model, ml) = (folded.Clone(), new MLContext());
            SavedGraph.Rename(model.Graph, TrainedNetwork.ScoreOutput, SavedOutput.ColumnName);
            return new SavedForm(model)
            {
                Outputs = [SavedOutput.ColumnName],
                After =
                [
                    ml.Transforms.CustomMapping<SavedOutput, RegressionPrediction>(Mapping.Map, Mapping.ContractName),
                    ml.Transforms.DropColumns(SavedOutput.ColumnName),
                ],
            };
        }

        /// <inheritdoc/>
        public override bool IsMapping(ITransformer transformer) =>
            transformer is CustomMappingTransformer<SavedOutput, RegressionPrediction>;

        /// <inheritdoc/>
        public override ClassLabels SavedClasses(DataViewSchema output) => ClassLabels.None;

        /// <inheritdoc/>
        public override void Restore(GraphProto graph, ClassLabels classes, Dictionary<string, string> names)
        {
            names[SavedOutput.ColumnName] = TrainedNetwork.ScoreOutput;
            ValueNames.Rename(graph, names);
        }

        /// <inheritdoc/>
        public override BatchNormTransformer CreateTransformer(NetworkParts parts) => new BatchNormRegressionTransformer(this, parts);

        // Of others, squares and weights would be 0 or infinite in float32.
        private static void RequireSize(double largest, string label)
        {
            if (largest is > 1e30 or > 0 and < 1e-30)
                throw new InvalidDataException(
                    $"The label column '{label}' has numbers of up to {largest}, but networks of float32 learn sizes from 1e-30 to 1e30; "
                    + "multiply it by a power of ten.");
        }

        // What rows have in common is taken off before they become float32.
        private static TrainingData ReadExact<T>(TrainingRowReader reader, Func<T, double> toDouble, CancellationToken cancellationToken)
            where T : struct
        {
            var (labels, first, differs) = (new List<double>(), default(T), false);
            var rows = reader.Read<T>(1, Add, cancellationToken);
            double[] numbers = [.. labels];
            if (differs && Array.TrueForAll(numbers, number => number == numbers[0]))
                throw new InvalidDataException(
                    $"The label column '{reader.Label.Name}' differs only in digits beyond the 15 to 17 that float64 keeps "
                    + $"({numbers[0]:R}); take off what its numbers have in common.");
            var offset = Float32Map.For(numbers).Offset;
            var largest = numbers.Max(number => Math.Abs(number - offset));
            RequireSize(largest, reader.Label.Name);
            return rows.With(Array.ConvertAll(numbers, number => (float)(number - offset)), offset);

            string? Add(T label, Span<float> target)
            {
                var number = toDouble(label);
                if (!double.IsFinite(number)) return $"{number}, which is not a finite number,";
                if (labels.Count == 0) first = label;
                differs |= !label.Equals(first);
                labels.Add(number);
                return null;
            }
        }

        private static string? SetTarget(float label, Span<float> target)
        {
            target[0] = label;
            return float.IsFinite(label) ? null : $"{label}, which is not a finite number,";
        }

        /// <summary>The vector that a saved model gives: one number.</summary>
        private sealed class SavedOutput
        {
            public const string ColumnName = "BatchNormNetworkOutput";

            [ColumnName(ColumnName)]
            [VectorType(1)]
            public VBuffer<float> Values { get; set; }
        }

        /// <summary>
        /// Makes the scalar column of a saved model from the vector that its ONNX model gives. ML.NET finds it by its contract name when it
        /// loads such a model; the name therefore never changes, and a new form gets a new number.
        /// </summary>
        [CustomMappingFactoryAttribute(ContractName)]
        private sealed class Mapping : CustomMappingFactory<SavedOutput, RegressionPrediction>
        {
            public const string ContractName = "MlNetBatchNorm.RegressionPrediction.1";

            public override Action<SavedOutput, RegressionPrediction> GetMapping() => Map;

            public static void Map(SavedOutput output, RegressionPrediction prediction) =>
                prediction.Score = output.Values.GetItemOrDefault(0);
        }
    }
}
