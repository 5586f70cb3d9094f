using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>½·Σ (y−t)²: the half makes the gradient y − t.</summary>
internal sealed record SquaredErrorLoss : Loss
{
    public override string Kind => "squared error";

    public override Value RowLoss(GraphBuilder nodes, Value output, Value target)
    {
        var difference = nodes.Node("Sub", [output, target]);
        var sum = nodes.Node("ReduceSum", [nodes.Node("Mul", [difference, difference]), nodes.Integers(1)], ("keepdims", 1));
        return nodes.Named("rowLoss", "Mul", [sum, nodes.Constant(0.5f)]);
    }

    public override Value RowGradient(GraphBuilder nodes, Value output, Value target) =>
        nodes.Named("rowGradient", "Sub", [output, target]);

    public override Value Prediction(GraphBuilder nodes, Value output) => output;

    public override IReadOnlyDictionary<string, double> Metrics(ReadOnlySpan<float> predictions, LabeledRows rows)
    {
        double sum = 0, total = 0;
        for (var i = 0; i < predictions.Length; i++)
        {
            var weight = rows.Weights is null ? 1.0 : rows.Weights[i / rows.Outputs];
            var difference = (double)predictions[i] - rows.Targets[i];
            sum += weight * difference * difference;
            total += weight;
        }

        return new Dictionary<string, double> { ["rmse"] = Math.Sqrt(sum / total) };
    }
}
