using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>Statistics over the whole mini-batch: vectors <c>[C]</c>.</summary>
internal sealed class WholeBatch(TrainingGraph graph, SampleShape shape) : ChannelReduction
{
    private readonly GraphBuilder _nodes = graph.Nodes;

    // First over the rows, as a product with a row of ones: ONNX Runtime runs that several times faster than ReduceSum. What is left
    // for the positions of a channel is one row.
    public override Value Sum(Value x)
    {
        if (shape.IsVector) return graph.SumOverRows(x);
        var sums = graph.SumOverRows(_nodes.Node("Reshape", [x, _nodes.Integers(-1, shape.Count)]));
        return _nodes.ReduceSum(_nodes.Node("Reshape", [sums, _nodes.Integers(shape.Channels, -1)]), keepAxes: false, 1);
    }

    public override Value PerValue(string name, Value statistic) => _nodes.Named(name, "Mul", [statistic, InverseCount]);

    public override Value Spread(Value statistic) => Column(_nodes, statistic, shape);

    public override Value Unbiased(Value variance)
    {
        var positions = shape.Positions;
        var factor = graph.HostScalar(Name("unbiased"), context => Unbias((double)context.Rows * positions));
        return _nodes.Node("Mul", [variance, factor]);
    }

    public override Value SumOfSlices(Value statistic) => statistic;

    public override Value MeanOfSlices(Value statistic) => statistic;

    private Value InverseCount
    {
        get
        {
            var positions = shape.Positions;
            return positions == 1
                ? graph.InverseRows
                : graph.HostScalar(Name("inverseCount"), context => (float)(1 / ((double)context.Rows * positions)));
        }
    }

    private static float Unbias(double count) => (float)(count / (count - 1));

    private string Name(string stem) => shape.Positions == 1 ? stem : $"{stem}{shape.Positions}";
}
