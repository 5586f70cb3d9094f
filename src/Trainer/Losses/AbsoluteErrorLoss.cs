using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>Σ |y−t|.</summary>
internal sealed record AbsoluteErrorLoss : Loss
{
    public override string Kind => "absolute error";

    public override bool IsRegression => true;

    public override Value RowLoss(GraphBuilder nodes, Value output, Value target)
    {
        var distance = nodes.Node("Abs", [nodes.Node("Sub", [output, target])]);
        return nodes.ReduceSum(distance, keepAxes: true, 1);
    }

    // sign(y − t), which is 0 where they are equal
    public override Value RowGradient(GraphBuilder nodes, Value output, Value target) =>
        nodes.Named("rowGradient", "Sign", [nodes.Node("Sub", [output, target])]);
}
