using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Transforms.Interop;
using MlNetBatchNorm.Transforms.Rows;
using MlNetBatchNorm.Transforms.Saving;
using MlNetBatchNorm.Transforms.Scoring;
using MlNetBatchNorm.Transforms.Tasks;
using MlNetBatchNorm.Transforms.Training;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm
{
    /// <summary>
    /// Trains a batch-normalised network for two classes. Made by <c>ml.BinaryClassification.Trainers.BatchNormNetwork(…)</c>.
    /// </summary>
    public sealed class BatchNormBinaryTrainer : BatchNormTrainer<BatchNormBinaryTransformer>
    {
        internal BatchNormBinaryTrainer(BatchNormNetworkOptions options, IHostEnvironment? environment)
            : base(NetworkTask.Of(LearningTask.Binary), options, environment)
        {
        }
    }

    /// <summary>
    /// A network for two classes: adds <c>Score</c> (the logit), <c>Probability</c> and <c>PredictedLabel</c> to its input.
    /// </summary>
    public sealed class BatchNormBinaryTransformer : BatchNormTransformer
    {
        internal BatchNormBinaryTransformer(NetworkTask task, NetworkParts parts)
            : base(task, parts)
        {
        }

        /// <inheritdoc/>
        public override BatchNormBinaryTransformer RecomputeStatistics(IDataView rows) => (BatchNormBinaryTransformer)Recompute(rows);
    }

    /// <summary>What a model for two classes says of a row. Also a ready-made class for <c>CreatePredictionEngine</c>.</summary>
    public sealed class BinaryPrediction
    {
        /// <summary>The logit: above 0 where the row is more likely positive.</summary>
        public float Score { get; set; }

        /// <summary>The probability of the positive class.</summary>
        public float Probability { get; set; }

        /// <summary>Whether the score is above 0.</summary>
        public bool PredictedLabel { get; set; }
    }
}

namespace MlNetBatchNorm.Transforms.Tasks
{
    /// <summary>One of two classes: a Boolean label; a logit and a probability.</summary>
    internal sealed class BinaryTask : NetworkTask
    {
        private const string Score = nameof(BinaryPrediction.Score);
        private const string Probability = nameof(BinaryPrediction.Probability);
        private const string PredictedLabel = nameof(BinaryPrediction.PredictedLabel);

        /// <inheritdoc/>
        public override LearningTask Kind => LearningTask.Binary;

        /// <inheritdoc/>
        public override Loss Loss => Loss.SigmoidCrossEntropy;

        /// <inheritdoc/>
        public override Loss SmoothedLoss(float share) => Loss.SmoothedSigmoidCrossEntropy(share);

        // Sigmoid, as in the paper's own experiments, overfits less than relu where labels are as noisy as people's decisions.

        /// <inheritdoc/>
        protected override BatchNormNetworkOptions FastDefaults { get; } = new()
        {
            HiddenLayers = [64, 32],
            Activation = Activation.Sigmoid,
            Epochs = 30,
            EarlyStoppingPatience = 8,
            ValidationFraction = 0.1,
            Optimizer = Optimizer.AdamW(1e-3f),
            Schedule = LearningRateSchedule.Constant,
        };

        /// <inheritdoc/>
        public override (Type RawType, bool IsKey, string Advice) ExpectedLabel =>
            (typeof(bool), false, "Boolean was expected. Map its two values to true and false first.");

        /// <inheritdoc/>
        public override IReadOnlyList<string> Outputs { get; } = [TrainedNetwork.ScoreOutput, TrainedNetwork.ProbabilityOutput];

        /// <inheritdoc/>
        public override ClassLabels Classes(DataViewSchema.Column label) => ClassLabels.Boolean;

        /// <inheritdoc/>
        public override TrainingData ReadRows(TrainingRowReader reader, CancellationToken cancellationToken) =>
            reader.Read<bool>(1, SetTarget, cancellationToken);

        /// <inheritdoc/>
        public override void RequireDifferentLabels(TrainingData rows, string label)
        {
            var positives = rows.TargetArray.Count(target => target > 0.5f);
            if (positives == 0 || positives == rows.Count)
                throw new InvalidDataException(
                    $"The label column '{label}' is {(positives == 0 ? "false" : "true")} in all {rows.Count} rows; "
                    + "both classes are needed to learn from.");
        }

        /// <inheritdoc/>
        public override IReadOnlyList<string> ColumnNames { get; } = [Score, Probability, PredictedLabel];

        /// <inheritdoc/>
        public override IReadOnlyList<string> SavedNames { get; } = [SavedOutput.ColumnName];

        /// <inheritdoc/>
        public override IReadOnlyList<ScoreColumn> Columns(ClassLabels classes) =>
        [
            ScoreColumn.Of<float, float>(Score, NumberDataViewType.Single, 0, 1, row => row[0]),
            ScoreColumn.Of<float, float>(Probability, NumberDataViewType.Single, 1, 1, row => row[0]),
            ScoreColumn.Of<float, bool>(PredictedLabel, BooleanDataViewType.Instance, 0, 1, row => row[0] > 0),
        ];

        /// <inheritdoc/>
        public override SchemaShape AppendColumns(SchemaShape input, string label) => MlNetInternals.Append<BinaryPrediction>(input);

        /// <inheritdoc/>
        public override IReadOnlyDictionary<string, Value> EmitColumns(GraphBuilder nodes, IReadOnlyDictionary<string, Value> outputs) =>
            new Dictionary<string, Value>
            {
                [Score] = outputs[TrainedNetwork.ScoreOutput],
                [Probability] = outputs[TrainedNetwork.ProbabilityOutput],
                [PredictedLabel] = nodes.Node("Greater", [outputs[TrainedNetwork.ScoreOutput], nodes.Constant(0)]),
            };

        /// <summary>Logit and probability as one vector, and a mapping to three scalars.</summary>
        public override SavedForm ToSaved(ModelProto folded, ClassLabels classes)
        {
            var (model, ml) = (folded.Clone(), new MLContext());
            model.Graph.Output.Clear();
            SavedGraph.AddNode(
                model.Graph, "Concat", [TrainedNetwork.ScoreOutput, TrainedNetwork.ProbabilityOutput], SavedOutput.ColumnName, ("axis", 1));
            SavedGraph.AddOutput(model.Graph, SavedOutput.ColumnName, DataType.Float, TensorDimension.Rows, 2);
            return new SavedForm(model)
            {
                After =
                [
                    ml.Transforms.CustomMapping<SavedOutput, BinaryPrediction>(Mapping.Map, Mapping.ContractName),
                    ml.Transforms.DropColumns(SavedOutput.ColumnName),
                ],
            };
        }

        /// <inheritdoc/>
        public override bool IsMapping(ITransformer transformer) => transformer is CustomMappingTransformer<SavedOutput, BinaryPrediction>;

        /// <inheritdoc/>
        public override ClassLabels SavedClasses(DataViewSchema output) => ClassLabels.Boolean;

        /// <inheritdoc/>
        public override void Restore(GraphProto graph, ClassLabels classes, Dictionary<string, string> names)
        {
            var joined = Giving(graph, SavedOutput.ColumnName);
            names[joined.Input[0]] = TrainedNetwork.ScoreOutput;
            names[joined.Input[1]] = TrainedNetwork.ProbabilityOutput;
            SavedGraph.Remove(graph, SavedOutput.ColumnName);
            ValueNames.Rename(graph, names);
            foreach (var name in Outputs) SavedGraph.AddOutput(graph, name, DataType.Float, TensorDimension.Rows, 1);
        }

        /// <inheritdoc/>
        public override BatchNormTransformer CreateTransformer(NetworkParts parts) => new BatchNormBinaryTransformer(this, parts);

        private static string? SetTarget(bool label, Span<float> target)
        {
            target[0] = label ? 1 : 0;
            return null;
        }

        /// <summary>The vector that a saved model gives: logit and probability.</summary>
        private sealed class SavedOutput
        {
            public const string ColumnName = "BatchNormNetworkOutput";

            [ColumnName(ColumnName)]
            [VectorType(2)]
            public VBuffer<float> Values { get; set; }
        }

        /// <summary>
        /// Makes the scalar columns of a saved model from the vector that its ONNX model gives. ML.NET finds it by its contract name when
        /// it loads such a model; the name therefore never changes, and a new form gets a new number.
        /// </summary>
        [CustomMappingFactoryAttribute(ContractName)]
        private sealed class Mapping : CustomMappingFactory<SavedOutput, BinaryPrediction>
        {
            public const string ContractName = "MlNetBatchNorm.BinaryPrediction.1";

            public override Action<SavedOutput, BinaryPrediction> GetMapping() => Map;

            public static void Map(SavedOutput output, BinaryPrediction prediction)
            {
                prediction.Score = output.Values.GetItemOrDefault(0);
                prediction.Probability = output.Values.GetItemOrDefault(1);
                prediction.PredictedLabel = prediction.Score > 0;
            }
        }
    }
}
