using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>−Σ t·log softmax(z).</summary>
internal sealed record SoftmaxCrossEntropyLoss : Loss
{
    public override string Kind => "softmax cross-entropy";

    public override Value RowLoss(GraphBuilder nodes, Value output, Value target)
    {
        var logProbability = nodes.Node("LogSoftmax", [output], ("axis", 1));
        var sum = nodes.Node("ReduceSum", [nodes.Node("Mul", [logProbability, target]), nodes.Integers(1)], ("keepdims", 1));
        return nodes.Named("rowLoss", "Neg", [sum]);
    }

    // softmax(z) − t, for targets that add up to 1
    public override Value RowGradient(GraphBuilder nodes, Value output, Value target) =>
        nodes.Named("rowGradient", "Sub", [nodes.Node("Softmax", [output], ("axis", 1)), target]);

    public override Value Prediction(GraphBuilder nodes, Value output) => nodes.Node("Softmax", [output], ("axis", 1));

    public override IReadOnlyDictionary<string, double> Metrics(ReadOnlySpan<float> predictions, LabeledRows rows) => new Dictionary<string, double>
    {
        ["accuracy"] = ClassificationMetrics.Accuracy(predictions, rows.Targets, rows.Outputs, rows.Weights),
        ["logLoss"] = ClassificationMetrics.LogLoss(predictions, rows.Targets, rows.Outputs, rows.Weights),
    };
}
