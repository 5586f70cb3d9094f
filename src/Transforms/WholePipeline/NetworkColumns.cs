using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms;

/// <summary>The columns that a network's transformer makes of the network's outputs, as nodes.</summary>
internal static class NetworkColumns
{
    /// <summary>Emits the columns of a task.</summary>
    /// <param name="task">The task.</param>
    /// <param name="nodes">The graph.</param>
    /// <param name="outputs">The network's outputs: logits or numbers, and probabilities.</param>
    /// <returns>The columns by name; the predicted class of several is a key.</returns>
    public static IReadOnlyDictionary<string, Value> Emit(TaskKind task, GraphBuilder nodes, IReadOnlyDictionary<string, Value> outputs)
    {
        var score = outputs[TrainedNetwork.ScoreOutput];
        return task switch
        {
            TaskKind.Binary => new Dictionary<string, Value>
            {
                [nameof(BinaryPrediction.Score)] = score,
                [nameof(BinaryPrediction.Probability)] = outputs[TrainedNetwork.ProbabilityOutput],
                [nameof(BinaryPrediction.PredictedLabel)] = nodes.Node("Greater", [score, nodes.Constant(0)]),
            },
            TaskKind.Multiclass => new Dictionary<string, Value>
            {
                [MulticlassColumns.Score] = outputs[TrainedNetwork.ProbabilityOutput],
                [MulticlassColumns.PredictedLabel] = Key(nodes, outputs[TrainedNetwork.ProbabilityOutput]),
            },
            _ => new Dictionary<string, Value> { [nameof(RegressionPrediction.Score)] = score },
        };
    }

    // Keys count from 1.
    private static Value Key(GraphBuilder nodes, Value probabilities)
    {
        var index = nodes.Node("ArgMax", [probabilities], ("axis", 1), ("keepdims", 1));
        var key = nodes.Node("Add", [index, nodes.Integers(1)]);
        return nodes.Named("key", "Cast", [key], ("to", (long)DataType.Uint32));
    }
}
