using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Verification;

public class ModelComparisonTests
{
    [Fact]
    public void Compare_ModelWithItself_FindsNoDifference()
    {
        var result = ModelComparison.Compare(Scale(2), Scale(2));
        Assert.Equal((0.0, 0.0, 2), (result.LargestAbsolute, result.LargestRelative, result.Runs));
    }

    [Fact]
    public void Compare_OneOutputIsOff_NamesItAndMeasuresAgainstItsScale()
    {
        var input = new Dictionary<string, HostTensor> { ["x"] = HostTensor.Of([1f, -4f], 1, 2) };
        var result = ModelComparison.Compare(Scale(2), Scale(3), [input]);
        Assert.Equal("y", result.Worst!.Output);
        Assert.Equal(4, result.LargestAbsolute);
        Assert.Equal(4 / 8.0, result.LargestRelative);
    }

    [Fact]
    public void Compare_OutputBecomesNaN_IsAnInfiniteDifference()
    {
        var input = new Dictionary<string, HostTensor> { ["x"] = HostTensor.Of([1f, 0f], 1, 2) };
        Assert.Equal(double.PositiveInfinity, ModelComparison.Compare(Scale(2), Scale(float.NaN), [input]).LargestRelative);
        input["x"] = HostTensor.Of([1f, float.NaN], 1, 2);
        Assert.Equal(0, ModelComparison.Compare(Scale(2), Scale(2), [input]).LargestRelative);
    }

    [Fact]
    public void Compare_NoAnswerIsANumber_ProvesNothingAndSaysSo()
    {
        var numbers = new Dictionary<string, HostTensor> { ["x"] = HostTensor.Of([1f, 2f], 1, 2) };
        var nothing = new Dictionary<string, HostTensor> { ["x"] = HostTensor.Of([float.NaN, float.NaN], 1, 2) };
        foreach (var (factor, inputs) in new[] { (float.NaN, numbers), (float.PositiveInfinity, numbers), (2f, nothing) })
            Refused(Scale(factor), [inputs]);

        // One set that proves something is enough.
        Assert.Equal(0, ModelComparison.Compare(Scale(2), Scale(2), [nothing, numbers]).LargestRelative);

        // The class of the largest of several NaN is a number, and proves no more than they do.
        var graph = new GraphBuilder("class");
        var y = graph.Node("Mul", [graph.Input("x", DataType.Float, "N", 2), graph.Constant(2)]);
        graph.Output("y", y, DataType.Float, "N", 2);
        graph.Output("class", graph.Node("ArgMax", [y]), DataType.Int64, 1, 2);
        Refused(graph.Build(), [nothing]);

        static void Refused(ModelProto model, IReadOnlyList<IReadOnlyDictionary<string, HostTensor>> inputs) => Assert.Contains(
            "they prove nothing",
            Assert.Throws<ModelVerificationException>(() => ModelComparison.Compare(model, model, inputs)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Compare_OpenSizes_AreTriedTwice()
    {
        var graph = new GraphBuilder("sizes");
        var x = graph.Input("x", DataType.Float, "N", 3, "H", "W");
        // The rows and the columns are the same symbol in both inputs.
        var other = graph.Input("other", DataType.Float, "N", 1, "H", "W");
        graph.Output("y", graph.Node("Mul", [x, other]), DataType.Float, "N", 3, "H", "W");
        var model = graph.Build();
        Assert.Equal(2, ModelComparison.Compare(model, model).Runs);
    }

    [Fact]
    public void Compare_SizesThatDoNotFit_AreLeftOut()
    {
        // Only 48 locations can be reshaped to [3, 16].
        var graph = new GraphBuilder("sizes");
        var y = graph.Node("Reshape", [graph.Input("x", DataType.Float, "N", "L"), graph.Integers(3, 16)]);
        graph.Output("y", y, DataType.Float, 3, 16);
        var model = graph.Build();
        Assert.Equal(1, ModelComparison.Compare(model, model).Runs);
    }

    [Fact]
    public void Compare_IntegerTextAndBooleanInputs_AreGenerated()
    {
        var graph = new GraphBuilder("types");
        var table = graph.Initializer(TensorData.Create("table", [1f, 2f, 3f, 4f], 2, 2));
        graph.Output("rows", graph.Node("Gather", [table, graph.Input("index", DataType.Int64, "N")]), DataType.Float, "N", 2);
        graph.Output("copy", graph.Node("Identity", [graph.Input("text", DataType.String, "N")]), DataType.String, "N");
        graph.Output("not", graph.Node("Not", [graph.Input("flag", DataType.Bool, "N")]), DataType.Bool, "N");
        graph.Output("half", graph.Node("Identity", [graph.Input("real", DataType.Float16, "N")]), DataType.Float16, "N");
        var model = graph.Build();
        Assert.Equal(0, ModelComparison.Compare(model, model).LargestRelative);
    }

    [Fact]
    public void Compare_NothingRuns_SaysWhatToDo()
    {
        var graph = new GraphBuilder("sizes");
        graph.Output(
            "y", graph.Node("Reshape", [graph.Input("x", DataType.Float, "N", "L"), graph.Integers(7, 11)]), DataType.Float, 7, 11);
        var model = graph.Build();
        Assert.Contains("give some of your own", Assert.Throws<ModelRunException>(() => ModelComparison.Compare(model, model)).Message);
    }

    private static ModelProto Scale(float factor)
    {
        var graph = new GraphBuilder("scale");
        var y = graph.Node("Mul", [graph.Input("x", DataType.Float, "N", 2), graph.Constant(factor)]);
        graph.Output("y", y, DataType.Float, "N", 2);
        return graph.Build();
    }
}
