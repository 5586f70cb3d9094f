using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Folding;

/// <summary>
/// A graph under test: a builder with random weights, and the referee that folds it and compares both models in ONNX Runtime.
/// </summary>
internal sealed class FoldCase(int opset = 17, int seed = 1, DataType type = DataType.Float)
{
    private readonly Random _random = new(seed);

    public GraphBuilder Graph { get; } = new("test", opset);

    public Value Input(params ReadOnlySpan<TensorDimension> shape) => Graph.Input("x", type, shape);

    /// <summary>A constant of random elements between <paramref name="low"/> and <paramref name="high"/>.</summary>
    public Value WeightBetween(double low, double high, string name, params long[] shape) =>
        Graph.Initializer(Tensor(name, low, high, shape));

    public Value Weight(string name, params long[] shape) => WeightBetween(-0.5, 0.5, name, shape);

    public TensorProto Tensor(string name, double low, double high, params long[] shape) =>
        TensorData.FromDoubles(
            name, type,
            Enumerable.Range(0, (int)shape.Aggregate(1L, (a, b) => a * b))
                .Select(_ => low + (_random.NextDouble() * (high - low))).ToArray(),
            shape);

    /// <summary>
    /// A batch normalization with statistics far from the neutral ones; scales of both signs unless they must be positive.
    /// </summary>
    public Value BatchNorm(Value x, int channels, string name = "bn", bool positive = false, params ReadOnlySpan<NodeArgument> attributes)
    {
        var gamma = WeightBetween(positive ? 0.3 : -1.5, 1.7, $"{name}_gamma", channels);
        var beta = WeightBetween(-1, 1, $"{name}_beta", channels);
        var mean = WeightBetween(-0.7, 0.9, $"{name}_mean", channels);
        var variance = WeightBetween(0.2, 2.5, $"{name}_var", channels);
        return Graph.Named(name, "BatchNormalization", [x, gamma, beta, mean, variance], attributes);
    }

    /// <summary>
    /// Ends the graph, folds it, and requires the same function: float32 rounding is 6e-8, and sums of some hundred terms stay under 1e-5.
    /// </summary>
    public FoldResult Fold(Value output, FoldOptions? options = null, double tolerance = 1e-5, params ReadOnlySpan<TensorDimension> shape)
    {
        Graph.Output("y", output, type, shape.Length > 0 ? shape : ["N", "D1"]);
        return Check(Graph.Build(), options, tolerance);
    }

    public static FoldResult Check(ModelProto model, FoldOptions? options = null, double tolerance = 1e-5)
    {
        foreach (var output in model.Graph.Output) output.Type.TensorType.Shape = null;
        var before = model.Clone();
        var result = BatchNormFolder.Fold(model, options);
        Assert.Equal(before, model);
        GraphChecker.Check(result.Model.Proto);
        Assert.Equal(model.Graph.Output, result.Model.Proto.Graph.Output);
        var comparison = ModelComparison.Compare(new OnnxModel(model), result.Model);
        Assert.True(comparison.LargestRelative <= tolerance, $"the outputs differ by {comparison.LargestRelative:G3} of their scale");
        CheckParts(model, options, result);
        return result;
    }

    /// <summary>Requires that each part that changed is the same function by itself, in float64.</summary>
    public static void CheckParts(ModelProto model, FoldOptions? options, FoldResult result)
    {
        var proven = ProvenFold.Run(model, options ?? new FoldOptions());
        Assert.Empty(proven.Unknown);
        Assert.Equal(
            result.BatchNorms.Select(outcome => (outcome.Name, outcome.Status, outcome.Into, outcome.Reason)),
            proven.Fold.BatchNorms.Select(outcome => (outcome.Name, outcome.Status, outcome.Into, outcome.Reason)));
        Assert.All(
            proven.Fold.BatchNorms.Where(outcome => outcome.Status != FoldStatus.Declined),
            outcome => Assert.NotNull(outcome.RelativeError));
    }

    public static int Count(ModelProto model, string opType) => model.Graph.Node.Count(node => node.OpType == opType);
}
