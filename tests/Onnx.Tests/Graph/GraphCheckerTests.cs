using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Graph;

public class GraphCheckerTests
{
    [Fact]
    public void Check_ValidModel_Passes() => GraphChecker.Check(Model());

    [Fact]
    public void Check_InputThatNobodyMakes_NamesNodeAndValue() =>
        Fails(
            model => model.Graph.Node[1].Input[0] = "nowhere",
            "Relu 'act' reads 'nowhere', but no node, input or initializer has that name.");

    [Fact]
    public void Check_NodesInTheWrongOrder_NamesBoth() =>
        Fails(
            model => (model.Graph.Node[0], model.Graph.Node[1]) = (model.Graph.Node[1], model.Graph.Node[0]),
            "Relu 'act' reads 'dense', which Gemm 'dense' makes only later");

    [Fact]
    public void Check_Cycle_ShowsTheWayRound() =>
        Fails(model => model.Graph.Node[0].Input[0] = "y", "cycle: Gemm 'dense' ← Relu 'act' ← Gemm 'dense'");

    [Fact]
    public void Check_NodeThatReadsItself_IsACycle() =>
        Fails(model => model.Graph.Node[0].Input[0] = "dense", "Gemm 'dense' reads its own output 'dense'");

    [Fact]
    public void Check_TwoValuesOfOneName_NamesTheSecondMaker() =>
        Fails(
            model => model.Graph.Node.Add(new NodeProto { OpType = "Abs", Name = "again", Input = { "x" }, Output = { "dense" } }),
            "Abs 'again'", "'dense' is defined twice");

    [Fact]
    public void Check_TwoInitializersOfOneName_NamesIt() =>
        Fails(model => model.Graph.Initializer.Add(model.Graph.Initializer[0].Clone()), "two initializers named 'w'");

    [Fact]
    public void Check_SubgraphThatRedefinesAnOuterValue_NamesIt() =>
        Fails(
            model =>
            {
                var branch = new GraphBuilder("then");
                branch.Output("out", branch.Named("dense", "Abs", [new Value("x")]), DataType.Float, "N", 4);
                branch.Build();
                var graph = branch.Build().Graph;
                graph.Node[0].Output[0] = "dense";
                graph.Output[0].Name = "dense";
                var node = new NodeProto { OpType = "If", Input = { "x" }, Output = { "z" } };
                node.Attribute.Add(((NodeArgument)("then_branch", graph)).Proto);
                model.Graph.Node.Add(node);
            },
            "'dense' is also a value of the graph around it");

    [Fact]
    public void Check_OutputThatNobodyMakes_NamesIt() =>
        Fails(model => model.Graph.Output[0].Name = "nothing", "declares the output 'nothing'");

    [Fact]
    public void Check_DomainWithoutOperatorSet_NamesIt() =>
        Fails(
            model => model.Graph.Node[1].Domain = "vendor",
            "Relu 'act' is of the domain 'vendor', but the model imports no operator set of that domain");

    [Fact]
    public void Check_TooFewBytes_SaysHowManyAreNeeded() =>
        Fails(
            model => model.Graph.Initializer[0].RawData = Google.Protobuf.ByteString.CopyFrom(new byte[8]),
            "'w' of shape [3, 4] needs 12 Float elements (48 bytes), but holds 8 bytes");

    [Fact]
    public void Check_AbsurdShape_AllocatesNothing()
    {
        var model = Model();
        model.Graph.Initializer[0].Dims.Clear();
        model.Graph.Initializer[0].Dims.AddRange([1L << 20, 1L << 20]);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains(
            "needs 1099511627776 Float elements", Assert.Throws<InvalidModelException>(() => GraphChecker.Check(model)).Message);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1_000_000);
    }

    [Fact]
    public void Check_ShapeThatOverflows_SaysSo() =>
        Fails(
            model =>
            {
                model.Graph.Initializer[0].Dims.Clear();
                model.Graph.Initializer[0].Dims.AddRange([1L << 40, 1L << 40]);
            },
            "'w' has an impossible shape");

    [Fact]
    public void Check_GemmOperandsThatDoNotFit_SaysWhichSizes() =>
        Fails(
            model => model.Graph.Input[0].Type.TensorType.Shape.Dim[1].DimValue = 7,
            "Gemm 'dense' has wrong shapes: the number of rows of B ('w') is 3, but 7 is expected (inputs: x[N, 7], w[3, 4], b[4])");

    [Fact]
    public void Check_BatchNormParameterOfTheWrongLength_SaysWhich()
    {
        var graph = new GraphBuilder("test");
        var x = graph.Input("x", DataType.Float, "N", 3);
        Value Vector(string name, int length) => graph.Initializer(TensorData.Create(name, new float[length], length));
        var y = graph.Named("bn", "BatchNormalization", [x, Vector("scale", 3), Vector("bias", 3), Vector("mean", 4), Vector("var", 3)]);
        graph.Output("y", y, DataType.Float, "N", 3);
        var message = Assert.Throws<InvalidModelException>(() => GraphChecker.Check(graph.Build())).Message;
        Assert.Contains("the length of mean ('mean') is 4, but 3 is expected", message);
    }

    [Fact]
    public void Check_ConvOnTheWrongNumberOfChannels_SaysWhich()
    {
        var graph = new GraphBuilder("test");
        var w = graph.Initializer(TensorData.Create("w", new float[36], 2, 2, 3, 3));
        graph.Output("y", graph.Node("Conv", [graph.Input("x", DataType.Float, 1, 3, 8, 8), w]), DataType.Float, 1, 2, 6, 6);
        Assert.Contains(
            "the number of channels of 'x' is 3, but 2 is expected",
            Assert.Throws<InvalidModelException>(() => GraphChecker.Check(graph.Build())).Message);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Check_ConvWithGroupsThatDoNotDivide_SaysSo(int group)
    {
        var graph = new GraphBuilder("test");
        var w = graph.Initializer(TensorData.Create("w", new float[36], 4, 1, 3, 3));
        graph.Output(
            "y", graph.Node("Conv", [graph.Input("x", DataType.Float, 1, 3, 8, 8), w], ("group", group)), DataType.Float, 1, 4, 6, 6);
        var message = Assert.Throws<InvalidModelException>(() => GraphChecker.Check(graph.Build())).Message;
        Assert.Contains($"cannot be cut into {group} groups", message);
    }

    [Fact]
    public void Check_AddOfShapesThatDoNotBroadcast_SaysSo()
    {
        var graph = new GraphBuilder("test");
        var y = graph.Node("Add", [graph.Input("a", DataType.Float, "N", 3), graph.Input("b", DataType.Float, "N", 4)]);
        graph.Output("y", y, DataType.Float, "N", 3);
        Assert.Contains("cannot be broadcast", Assert.Throws<InvalidModelException>(() => GraphChecker.Check(graph.Build())).Message);
    }

    private static ModelProto Model()
    {
        var graph = new GraphBuilder("test");
        var x = graph.Input("x", DataType.Float, "N", 3);
        var w = graph.Initializer(TensorData.Create("w", new float[12], 3, 4));
        var dense = graph.Named("dense", "Gemm", [x, w, graph.Initializer(TensorData.Create("b", new float[4], 4))]);
        graph.Output("y", graph.Named("act", "Relu", [dense]), DataType.Float, "N", 4);
        var model = graph.Build();
        model.Graph.Node[1].Name = "act";
        return model;
    }

    private static void Fails(Action<ModelProto> spoil, params string[] expected)
    {
        var model = Model();
        spoil(model);
        var message = Assert.Throws<InvalidModelException>(() => GraphChecker.Check(model)).Message;
        Assert.All(expected, part => Assert.Contains(part, message));
        Assert.DoesNotContain('\n', message);
    }
}
