using System.Numerics.Tensors;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>What is special about scoring a task: the outputs of the network that are needed, the columns made of them, and the saved form.</summary>
/// <param name="Kind">The task.</param>
/// <param name="Classes">The classes as texts; none for regression.</param>
/// <param name="Outputs">The network's outputs, in the order in which columns count them.</param>
/// <param name="Columns">The columns that are added.</param>
/// <param name="ToSaved">The saved form of a folded network.</param>
internal sealed record NetworkTask(
    TaskKind Kind, IReadOnlyList<string> Classes, string[] Outputs, IReadOnlyList<ScoreColumn> Columns, Func<ModelProto, SavedForm> ToSaved)
{
    /// <summary>Two classes: <c>Score</c> (the logit), <c>Probability</c> and <c>PredictedLabel</c>.</summary>
    public static NetworkTask Binary { get; } = new(
        TaskKind.Binary,
        ["false", "true"],
        [TrainedNetwork.ScoreOutput, TrainedNetwork.ProbabilityOutput],
        [
            ScoreColumn.Of<float, float>(nameof(BinaryPrediction.Score), NumberDataViewType.Single, 0, 1, row => row[0]),
            ScoreColumn.Of<float, float>(nameof(BinaryPrediction.Probability), NumberDataViewType.Single, 1, 1, row => row[0]),
            ScoreColumn.Of<float, bool>(nameof(BinaryPrediction.PredictedLabel), BooleanDataViewType.Instance, 0, 1, row => row[0] > 0),
        ],
        SavedForms.Binary);

    /// <summary>A number: <c>Score</c>.</summary>
    public static NetworkTask Regression { get; } = new(
        TaskKind.Regression,
        [],
        [TrainedNetwork.ScoreOutput],
        [ScoreColumn.Of<float, float>(nameof(RegressionPrediction.Score), NumberDataViewType.Single, 0, 1, row => row[0])],
        SavedForms.Regression);

    /// <summary>Several classes: <c>Score</c> (the probabilities, with the classes as the names of slots) and <c>PredictedLabel</c> (a key).</summary>
    public static NetworkTask Multiclass(ClassLabels labels)
    {
        var count = labels.Texts.Count;
        return new NetworkTask(
            TaskKind.Multiclass,
            labels.Texts,
            [TrainedNetwork.ProbabilityOutput],
            [
                ScoreColumn.Of(
                    MulticlassColumns.Score,
                    new VectorDataViewType(NumberDataViewType.Single, count),
                    new(TrainedNetwork.ProbabilityOutput, TensorProto.Types.DataType.Float, [count]),
                    0,
                    labels.ToSlotNames()),
                ScoreColumn.Of<float, uint>(
                    MulticlassColumns.PredictedLabel,
                    new KeyDataViewType(typeof(uint), count),
                    0,
                    count,
                    row => (uint)TensorPrimitives.IndexOfMax(row) + 1,
                    labels.KeyAnnotations),
            ],
            folded => SavedForms.Multiclass(folded, labels));
    }
}
