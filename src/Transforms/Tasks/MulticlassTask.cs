using System.Numerics.Tensors;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Scoring;
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
    /// Trains a batch-normalised network for several classes. Made by <c>ml.MulticlassClassification.Trainers.BatchNormNetwork(…)</c>.
    /// </summary>
    public sealed class BatchNormMulticlassTrainer : BatchNormTrainer<BatchNormMulticlassTransformer>
    {
        internal BatchNormMulticlassTrainer(BatchNormNetworkOptions options, IHostEnvironment? environment)
            : base(NetworkTask.Of(LearningTask.Multiclass), options, environment)
        {
        }
    }

    /// <summary>
    /// A network for several classes: adds <c>Score</c> (the probability of each class, with the classes as the names of its slots) and
    /// <c>PredictedLabel</c> (the key of the most probable class, with the label's own key values) to its input.
    /// </summary>
    public sealed class BatchNormMulticlassTransformer : BatchNormTransformer
    {
        internal BatchNormMulticlassTransformer(NetworkTask task, NetworkParts parts)
            : base(task, parts)
        {
        }

        /// <inheritdoc/>
        public override BatchNormMulticlassTransformer RecomputeStatistics(IDataView rows) =>
            (BatchNormMulticlassTransformer)Recompute(rows);
    }

    /// <summary>
    /// What a model for several classes says of a row. Also a ready-made class for <c>CreatePredictionEngine</c>, behind
    /// <c>MapKeyToValue("PredictedLabel")</c>.
    /// </summary>
    public sealed class MulticlassPrediction : MulticlassPrediction<string>
    {
        /// <summary>An empty one, for ML.NET to fill.</summary>
        public MulticlassPrediction() => PredictedLabel = string.Empty;
    }

    /// <summary>As <see cref="MulticlassPrediction"/>, for labels that are no texts.</summary>
    /// <typeparam name="TLabel">
    /// The type of the label column before <c>MapValueToKey</c>: <see cref="int"/>, <see cref="float"/>, <see cref="bool"/> and so on.
    /// </typeparam>
    public class MulticlassPrediction<TLabel>
    {
        /// <summary>The most probable class.</summary>
        public TLabel PredictedLabel { get; set; } = default!;

        /// <summary>The probability of each class, in the order of <see cref="BatchNormTransformer.Classes"/>.</summary>
        public float[] Score { get; set; } = [];
    }
}

namespace MlNetBatchNorm.Transforms.Tasks
{
    /// <summary>One of several classes: a key for a label; the probability of each class, and the key of the most probable one.</summary>
    internal sealed class MulticlassTask : NetworkTask
    {
        private const string Score = nameof(MulticlassPrediction.Score);
        private const string PredictedLabel = nameof(MulticlassPrediction.PredictedLabel);

        // Values that a saved form has besides the network's own.
        private const string Logits = "BatchNormNetworkLogits";
        private const string MostProbable = "BatchNormNetworkMostProbable";
        private const string Texts = "BatchNormNetworkClasses";
        private const string Size = "BatchNormNetworkClassCount";

        /// <inheritdoc/>
        public override LearningTask Kind => LearningTask.Multiclass;

        /// <inheritdoc/>
        public override Loss Loss => Loss.SoftmaxCrossEntropy;

        /// <inheritdoc/>
        public override Loss SmoothedLoss(float share) => Loss.SmoothedCrossEntropy(share);

        // A cosine is laid out over all epochs, so there is nothing to be gained from stopping early.

        /// <inheritdoc/>
        protected override BatchNormNetworkOptions FastDefaults { get; } = new()
        {
            HiddenLayers = [256, 128],
            Activation = Activation.Relu,
            Epochs = 30,
            EarlyStoppingPatience = 0,
            ValidationFraction = 0.1,
            Optimizer = Optimizer.AdamW(3e-3f),
            Schedule = LearningRateSchedule.Cosine(),
        };

        /// <inheritdoc/>
        public override (Type RawType, bool IsKey, string Advice) ExpectedLabel =>
            (typeof(uint), true, "a key of UInt32 was expected. Put MapValueToKey in front of the trainer.");

        /// <inheritdoc/>
        public override IReadOnlyList<string> Outputs { get; } = [TrainedNetwork.ProbabilityOutput];

        /// <inheritdoc/>
        public override ClassLabels Classes(DataViewSchema.Column label) => ClassLabels.OfKeys(label);

        /// <inheritdoc/>
        public override TrainingData ReadRows(TrainingRowReader reader, CancellationToken cancellationToken) =>
            reader.Read<uint>(ClassLabels.CountOf(reader.Label), SetTarget, cancellationToken);

        /// <inheritdoc/>
        public override void RequireDifferentLabels(TrainingData rows, string label)
        {
            var first = TensorPrimitives.IndexOfMax(rows.Target(0));
            for (var row = 1; row < rows.Count; row++)
                if (rows.Target(row)[first] == 0) return;
            throw new InvalidDataException(
                $"The label column '{label}' has the key {first + 1} in all {rows.Count} rows; two or more classes are needed to learn "
                + "from.");
        }

        /// <inheritdoc/>
        public override TrainingWarning? Doubt(TrainingData rows, DataViewSchema.Column label) => ClassLabels.HasValues(label)
            ? null
            : new TrainingWarning(
                TrainingWarningKind.KeysWithoutValues,
                null,
                $"The label column '{label.Name}' is a key without values, as [KeyType] makes one. ML.NET counts keys from 1: what was 0 "
                + $"in memory or in a file has become 1, and {PredictedLabel} gives 1 for it. Put MapValueToKey in front of the trainer "
                + $"and MapKeyToValue behind it to get the label's own values.");

        /// <inheritdoc/>
        public override IReadOnlyList<string> ColumnNames { get; } = [Score, PredictedLabel];

        /// <inheritdoc/>
        public override IReadOnlyList<string> SavedNames { get; } = [Score, SavedOutput.ColumnName];

        /// <inheritdoc/>
        public override IReadOnlyList<ScoreColumn> Columns(ClassLabels classes)
        {
            var count = classes.Texts.Count;
            return
            [
                ScoreColumn.Of(
                    Score,
                    new VectorDataViewType(NumberDataViewType.Single, count),
                    new RowTensor(TrainedNetwork.ProbabilityOutput, DataType.Float, [count]),
                    0,
                    classes.ToSlotNames()),
                ScoreColumn.Of<float, uint>(
                    PredictedLabel,
                    new KeyDataViewType(typeof(uint), count),
                    0,
                    count,
                    row => (uint)TensorPrimitives.IndexOfMax(row) + 1,
                    classes.KeyAnnotations),
            ];
        }

        /// <summary>
        /// Adds a vector with slot names, as joining scalars makes one, and a key with the label's own key values, as copying it makes one.
        /// </summary>
        public override SchemaShape AppendColumns(SchemaShape input, string label)
        {
            var transforms = new MLContext().Transforms;
            var scalar = MlNetInternals.Append(input, Score, NumberDataViewType.Single);
            return transforms.CopyColumns(PredictedLabel, label).GetOutputSchema(
                transforms.Concatenate(Score, Score).GetOutputSchema(scalar));
        }

        /// <inheritdoc/>
        public override IReadOnlyDictionary<string, Value> EmitColumns(GraphBuilder nodes, IReadOnlyDictionary<string, Value> outputs)
        {
            // Keys count from 1.
            var probabilities = outputs[TrainedNetwork.ProbabilityOutput];
            var index = nodes.Node("ArgMax", [probabilities], ("axis", 1), ("keepdims", 1));
            var key = nodes.Named("key", "Cast", [nodes.Node("Add", [index, nodes.Integers(1)])], ("to", (long)DataType.Uint32));
            return new Dictionary<string, Value> { [Score] = probabilities, [PredictedLabel] = key };
        }

        /// <summary>
        /// The probabilities with the classes as the names of their slots, and the text of the most probable class, which becomes a key by
        /// its place in the list of classes.
        /// </summary>
        /// <exception cref="InvalidOperationException">
        /// Two classes have the same text, or one has none: ML.NET cannot make keys of them.
        /// </exception>
        public override SavedForm ToSaved(ModelProto folded, ClassLabels classes)
        {
            RequireDistinct(classes.Texts);
            var (model, ml) = (folded.Clone(), new MLContext());
            var graph = model.Graph;
            graph.Output.Clear();
            SavedGraph.Rename(graph, TrainedNetwork.ScoreOutput, Logits);

            // Of shape [K], not [N, K]: ML.NET runs one row at a time, and takes the shape for the vector's.
            SavedGraph.AddIntegers(graph, Size, classes.Texts.Count);
            SavedGraph.AddNode(graph, "Reshape", [TrainedNetwork.ProbabilityOutput, Size], Score);
            SavedGraph.AddOutput(graph, Score, DataType.Float, classes.Texts.Count);
            SavedGraph.AddSlotNames(model, Score, classes.Texts);

            SavedGraph.AddTexts(graph, Texts, classes.Texts);
            SavedGraph.AddNode(graph, "ArgMax", [Score], MostProbable, ("axis", 0), ("keepdims", 1));
            SavedGraph.AddNode(graph, "Gather", [Texts, MostProbable], SavedOutput.ColumnName);
            SavedGraph.AddOutput(graph, SavedOutput.ColumnName, DataType.String, 1);
            return new SavedForm(model)
            {
                After =
                [
                    ml.Transforms.CustomMapping<SavedOutput, SavedClass>(Mapping.Map, Mapping.ContractName),
                    .. ToKey(ml, classes),
                    ml.Transforms.DropColumns(SavedOutput.ColumnName),
                ],
            };
        }

        /// <inheritdoc/>
        public override bool IsMapping(ITransformer transformer) => transformer is CustomMappingTransformer<SavedOutput, SavedClass>;

        /// <inheritdoc/>
        public override ClassLabels SavedClasses(DataViewSchema output) => ClassLabels.OfKeys(output[PredictedLabel]);

        /// <inheritdoc/>
        public override void Restore(GraphProto graph, ClassLabels classes, Dictionary<string, string> names)
        {
            names[Logits] = TrainedNetwork.ScoreOutput;
            names[Giving(graph, Score).Input[0]] = TrainedNetwork.ProbabilityOutput;
            SavedGraph.Remove(graph, Score, MostProbable, SavedOutput.ColumnName, Texts, Size);
            SavedGraph.RemoveSlotNames(graph, Score);
            ValueNames.Rename(graph, names);
            foreach (var name in (string[])[TrainedNetwork.ScoreOutput, TrainedNetwork.ProbabilityOutput])
                SavedGraph.AddOutput(graph, name, DataType.Float, TensorDimension.Rows, classes.Texts.Count);
        }

        /// <inheritdoc/>
        public override BatchNormTransformer CreateTransformer(NetworkParts parts) => new BatchNormMulticlassTransformer(this, parts);

        /// <summary>Makes keys of the texts of a column, numbered by their places in the list of classes.</summary>
        /// <param name="ml">A context.</param>
        /// <param name="column">The column, which becomes one of keys.</param>
        /// <param name="classes">The classes, in order.</param>
        public static IEstimator<ITransformer> ToKey(MLContext ml, string column, IReadOnlyList<string> classes) =>
            ml.Transforms.Conversion.MapValueToKey(column, column, maximumNumberOfKeys: classes.Count, keyData: ToView(ml, classes));

        // Keys count from 1; 0 is a missing one, and whoever sets keys by hand can set one that is too large.
        private static string? SetTarget(uint label, Span<float> target)
        {
            if (label == 0) return "no class: a missing value, or one that MapValueToKey or [KeyType] did not know,";
            if (label > target.Length) return $"the key {label} of {target.Length}";
            target[(int)label - 1] = 1;
            return null;
        }

        private static IEnumerable<IEstimator<ITransformer>> ToKey(MLContext ml, ClassLabels labels)
        {
            if (labels.ValueType is TextDataViewType) return [ToKey(ml, PredictedLabel, labels.Texts)];

            // Keys with values of another type (numbers, say) get them back by the same conversion here and there, so that they are equal.
            var texts = ToView(ml, labels.Texts);
            var kind = Enum.Parse<DataKind>(labels.ValueType.RawType.Name);
            var conversion = ml.Transforms.Conversion.ConvertType(PredictedLabel, PredictedLabel, kind);
            var values = conversion.Append(ml.Transforms.SelectColumns(PredictedLabel)).Fit(texts).Transform(texts);
            return
            [
                conversion,
                ml.Transforms.Conversion.MapValueToKey(
                    PredictedLabel, PredictedLabel, maximumNumberOfKeys: labels.Texts.Count, keyData: values),
            ];
        }

        private static IDataView ToView(MLContext ml, IReadOnlyList<string> classes) =>
            ml.Data.LoadFromEnumerable(classes.Select(text => new SavedClass { PredictedLabel = text.AsMemory() }));

        private static void RequireDistinct(IReadOnlyList<string> classes)
        {
            if (classes.Any(text => text.Length == 0))
                throw new InvalidOperationException(
                    "One of the classes is an empty text, which ML.NET takes for a missing value; it cannot save such keys. Give the "
                    + "class a name.");
            if (classes.GroupBy(text => text, StringComparer.Ordinal).FirstOrDefault(same => same.Count() > 1) is { } twice)
                throw new InvalidOperationException(
                    $"Two of the classes are '{twice.Key}'; ML.NET cannot save such keys. Give them different names.");
        }

        /// <summary>The most probable class, as a saved model gives it: a vector of one text.</summary>
        private sealed class SavedOutput
        {
            public const string ColumnName = "BatchNormNetworkClass";

            [ColumnName(ColumnName)]
            [VectorType(1)]
            public VBuffer<ReadOnlyMemory<char>> Values { get; set; }
        }

        /// <summary>The most probable class as a text, on its way to the key that it becomes.</summary>
        private sealed class SavedClass
        {
            public ReadOnlyMemory<char> PredictedLabel { get; set; }
        }

        /// <summary>
        /// Makes a scalar of the text that the ONNX model of a saved network gives. ML.NET finds it by its contract name when it loads such
        /// a model; the name therefore never changes, and a new form gets a new number.
        /// </summary>
        [CustomMappingFactoryAttribute(ContractName)]
        private sealed class Mapping : CustomMappingFactory<SavedOutput, SavedClass>
        {
            public const string ContractName = "MlNetBatchNorm.MulticlassPrediction.1";

            public override Action<SavedOutput, SavedClass> GetMapping() => Map;

            public static void Map(SavedOutput output, SavedClass prediction) =>
                prediction.PredictedLabel = output.Values.GetItemOrDefault(0);
        }
    }
}
