using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>½·Σ (y−t)²: the half makes the gradient y − t.</summary>
internal sealed record SquaredErrorLoss : Loss
{
    public override string Kind => "squared error";

    public override bool IsRegression => true;

    public override Value RowLoss(GraphBuilder nodes, Value output, Value target)
    {
        var difference = nodes.Node("Sub", [output, target]);
        var sum = nodes.ReduceSum(nodes.Node("Mul", [difference, difference]), keepAxes: true, 1);
        return nodes.Named("rowLoss", "Mul", [sum, nodes.Constant(0.5f)]);
    }

    public override Value RowGradient(GraphBuilder nodes, Value output, Value target) =>
        nodes.Named("rowGradient", "Sub", [output, target]);
}
