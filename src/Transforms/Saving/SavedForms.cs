using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Trainer;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// The saved form of each task, and the way back from it. Columns that ML.NET makes of a model's outputs are vectors, whatever their shape; scalars are made by mappings
/// that know nothing of the network, since ML.NET saves no more of a mapping than its name.
/// </summary>
internal static class SavedForms
{
    private const string Logits = "BatchNormNetworkLogits";
    private const string MostProbable = "BatchNormNetworkMostProbable";
    private const string Texts = "BatchNormNetworkClasses";
    private const string Size = "BatchNormNetworkClassCount";

    /// <summary>Logit and probability as one vector, and a mapping to three scalars.</summary>
    public static SavedForm Binary(ModelProto folded)
    {
        var (model, ml) = (folded.Clone(), new MLContext());
        model.Graph.Output.Clear();
        SavedGraph.AddNode(
            model.Graph, "Concat", [TrainedNetwork.ScoreOutput, TrainedNetwork.ProbabilityOutput], BinaryNetworkOutput.ColumnName, ("axis", 1));
        SavedGraph.AddOutput(model.Graph, BinaryNetworkOutput.ColumnName, DataType.Float, Dimension.Rows, 2);
        return new SavedForm(model)
        {
            After =
            [
                ml.Transforms.CustomMapping<BinaryNetworkOutput, BinaryPrediction>(BinaryPredictionMapping.Map, BinaryPredictionMapping.ContractName),
                ml.Transforms.DropColumns(BinaryNetworkOutput.ColumnName),
            ],
        };
    }

    /// <summary>The number as a vector, and a mapping to a scalar.</summary>
    public static SavedForm Regression(ModelProto folded)
    {
        var (model, ml) = (folded.Clone(), new MLContext());
        SavedGraph.Rename(model.Graph, TrainedNetwork.ScoreOutput, RegressionNetworkOutput.ColumnName);
        return new SavedForm(model)
        {
            After =
            [
                ml.Transforms.CustomMapping<RegressionNetworkOutput, RegressionPrediction>(
                    RegressionPredictionMapping.Map, RegressionPredictionMapping.ContractName),
                ml.Transforms.DropColumns(RegressionNetworkOutput.ColumnName),
            ],
        };
    }

    /// <summary>
    /// The probabilities with the classes as the names of their slots, and the text of the most probable class, which becomes a key by its
    /// place in the list of classes.
    /// </summary>
    /// <exception cref="InvalidOperationException">Two classes have the same text, or one has none: ML.NET cannot make keys of them.</exception>
    public static SavedForm Multiclass(ModelProto folded, ClassLabels labels)
    {
        RequireDistinct(labels.Texts);
        var (model, ml) = (folded.Clone(), new MLContext());
        var graph = model.Graph;
        graph.Output.Clear();
        SavedGraph.Rename(graph, TrainedNetwork.ScoreOutput, Logits);

        // Of shape [K], not [N, K]: ML.NET runs one row at a time, and takes the shape for the vector's.
        SavedGraph.AddIntegers(graph, Size, labels.Texts.Count);
        SavedGraph.AddNode(graph, "Reshape", [TrainedNetwork.ProbabilityOutput, Size], MulticlassColumns.Score);
        SavedGraph.AddOutput(graph, MulticlassColumns.Score, DataType.Float, labels.Texts.Count);
        SavedGraph.AddSlotNames(model, MulticlassColumns.Score, labels.Texts);

        SavedGraph.AddTexts(graph, Texts, labels.Texts);
        SavedGraph.AddNode(graph, "ArgMax", [MulticlassColumns.Score], MostProbable, ("axis", 0), ("keepdims", 1));
        SavedGraph.AddNode(graph, "Gather", [Texts, MostProbable], MulticlassNetworkOutput.ColumnName);
        SavedGraph.AddOutput(graph, MulticlassNetworkOutput.ColumnName, DataType.String, 1);
        return new SavedForm(model)
        {
            After =
            [
                ml.Transforms.CustomMapping<MulticlassNetworkOutput, MulticlassPredictedClass>(
                    MulticlassPredictionMapping.Map, MulticlassPredictionMapping.ContractName),
                .. ToKey(ml, labels),
                ml.Transforms.DropColumns(MulticlassNetworkOutput.ColumnName),
            ],
        };
    }

    /// <summary>The network of a saved form, as it was before: with its own inputs and outputs, and a free number of rows.</summary>
    /// <param name="saved">The model of the form, which is changed.</param>
    /// <param name="task">Its task.</param>
    /// <param name="classes">The number of classes; without meaning for the other tasks.</param>
    public static ModelProto Restore(ModelProto saved, TaskKind task, int classes)
    {
        var graph = saved.Graph;
        var names = new Dictionary<string, string> { [graph.Input[0].Name] = TrainedNetwork.FeaturesInput };
        switch (task)
        {
            case TaskKind.Binary:
                var joined = Giving(graph, BinaryNetworkOutput.ColumnName);
                (names[joined.Input[0]], names[joined.Input[1]]) = (TrainedNetwork.ScoreOutput, TrainedNetwork.ProbabilityOutput);
                SavedGraph.Remove(graph, BinaryNetworkOutput.ColumnName);
                ValueNames.Rename(graph, names);
                SavedGraph.AddOutput(graph, TrainedNetwork.ScoreOutput, DataType.Float, Dimension.Rows, 1);
                SavedGraph.AddOutput(graph, TrainedNetwork.ProbabilityOutput, DataType.Float, Dimension.Rows, 1);
                break;
            case TaskKind.Regression:
                names[RegressionNetworkOutput.ColumnName] = TrainedNetwork.ScoreOutput;
                ValueNames.Rename(graph, names);
                break;
            default:
                (names[Logits], names[Giving(graph, MulticlassColumns.Score).Input[0]]) = (TrainedNetwork.ScoreOutput, TrainedNetwork.ProbabilityOutput);
                SavedGraph.Remove(graph, MulticlassColumns.Score, MostProbable, MulticlassNetworkOutput.ColumnName, Texts, Size);
                SavedGraph.RemoveSlotNames(graph, MulticlassColumns.Score);
                ValueNames.Rename(graph, names);
                SavedGraph.AddOutput(graph, TrainedNetwork.ScoreOutput, DataType.Float, Dimension.Rows, classes);
                SavedGraph.AddOutput(graph, TrainedNetwork.ProbabilityOutput, DataType.Float, Dimension.Rows, classes);
                break;
        }

        return saved;
    }

    private static NodeProto Giving(GraphProto graph, string name) => graph.Node.FirstOrDefault(node => node.Output.Contains(name))
        ?? throw new InvalidModelException($"The saved network has no node that gives '{name}'; the file has been changed since it was saved.");

    private static IEnumerable<IEstimator<ITransformer>> ToKey(MLContext ml, ClassLabels labels)
    {
        const string Column = MulticlassColumns.PredictedLabel;
        var classes = ml.Data.LoadFromEnumerable(labels.Texts.Select(text => new MulticlassPredictedClass { PredictedLabel = text.AsMemory() }));
        if (labels.ValueType is not TextDataViewType)
        {
            // Keys with values of another type (numbers, say) get them back by the same conversion here and there, so that they are equal.
            var kind = Enum.Parse<DataKind>(labels.ValueType.RawType.Name);
            var conversion = ml.Transforms.Conversion.ConvertType(Column, Column, kind);
            yield return conversion;
            classes = conversion.Append(ml.Transforms.SelectColumns(Column)).Fit(classes).Transform(classes);
        }

        yield return ml.Transforms.Conversion.MapValueToKey(Column, Column, maximumNumberOfKeys: labels.Texts.Count, keyData: classes);
    }

    private static void RequireDistinct(IReadOnlyList<string> classes)
    {
        if (classes.Any(text => text.Length == 0))
            throw new InvalidOperationException("One of the classes is an empty text, which ML.NET takes for a missing value; it cannot save such keys. Give the class a name.");
        if (classes.GroupBy(text => text, StringComparer.Ordinal).FirstOrDefault(same => same.Count() > 1) is { } twice)
            throw new InvalidOperationException($"Two of the classes are '{twice.Key}'; ML.NET cannot save such keys. Give them different names.");
    }
}
