using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>−t·log σ(z) − (1−t)·log(1−σ(z)) = softplus(z) − t·z, which stays finite for every logit.</summary>
internal sealed record SigmoidCrossEntropyLoss : Loss
{
    public override string Kind => "sigmoid cross-entropy";

    public override Value RowLoss(GraphBuilder nodes, Value output, Value target) =>
        nodes.Named("rowLoss", "Sub", [nodes.Node("Softplus", [output]), nodes.Node("Mul", [output, target])]);

    // σ(z) − t
    public override Value RowGradient(GraphBuilder nodes, Value output, Value target) =>
        nodes.Named("rowGradient", "Sub", [nodes.Node("Sigmoid", [output]), target]);

    public override Value Prediction(GraphBuilder nodes, Value output) => nodes.Node("Sigmoid", [output]);

    public override IReadOnlyDictionary<string, double> Metrics(ReadOnlySpan<float> predictions, LabeledRows rows) => new Dictionary<string, double>
    {
        ["auc"] = ClassificationMetrics.AreaUnderRoc(predictions, rows.Targets, rows.Weights),
        ["accuracy"] = ClassificationMetrics.Accuracy(predictions, rows.Targets, 1, rows.Weights),
        ["logLoss"] = ClassificationMetrics.LogLoss(predictions, rows.Targets, 1, rows.Weights),
    };
}
