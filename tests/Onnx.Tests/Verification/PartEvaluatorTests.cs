using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Verification;
using MlNetBatchNorm.Tests.Referees;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Verification;

public class PartEvaluatorTests
{
    // Random or with the outputs of a training run; with an ellipsis.
    private static readonly string[] Others = ["training", "dropout_random", "einsum_batch_diagonal"];

    [OnnxTestDataFact]
    public void Run_EveryNodeOfTheOnnxTestDataThatItKnows_GivesTheirOutputs()
    {
        var (seen, failures) = (new HashSet<string>(StringComparer.Ordinal), new List<string>());
        foreach (var path in Directory.EnumerateFiles(OnnxTestData.Root, "model.onnx", SearchOption.AllDirectories).Order())
        {
            if (path.Contains("/real/", StringComparison.Ordinal) || Others.Any(other => path.Contains(other, StringComparison.Ordinal)))
                continue;
            var model = ModelFile.Read(path);
            if (!model.Graph.Node.All(node => node.IsStandard() && PartOperators.ByName.ContainsKey(node.OpType))) continue;
            if (!model.Graph.Input.All(input => IsNumber(input)) || !model.Graph.Output.All(IsNumber)) continue;
            foreach (var folder in Directory.GetDirectories(Path.GetDirectoryName(path)!))
            {
                try
                {
                    if (Worst(model, folder) is > 1e-6 and var worst) failures.Add($"{folder}: {worst}");
                    seen.UnionWith(model.Graph.Node.Select(node => node.OpType));
                }
                catch (NotSupportedException exception)
                {
                    failures.Add($"{folder}: {exception.Message}");
                }
            }
        }

        Assert.True(failures.Count == 0, string.Join(Environment.NewLine, failures));
        Assert.Empty(PartOperators.ByName.Keys.Except(seen));
    }

    [Theory]
    [InlineData("NOTSET", 1, 2, 2, 1)]
    [InlineData("SAME_UPPER", 1, 2, 1, 1)]
    [InlineData("SAME_LOWER", 3, 1, 2, 1)]
    [InlineData("VALID", 2, 1, 1, 2)]
    public void Run_Convolutions_GiveWhatOnnxRuntimeGives(string padding, int group, int stride, int dilation, int pad)
    {
        foreach (var (operation, first, second) in new[] { ("Conv", 6, 6 / group), ("ConvTranspose", 6, 2) })
        {
            var graph = new GraphBuilder("convolution");
            var x = graph.Input("x", DataType.Float, 2, 6, 7, 9);
            List<NodeArgument> attributes = [("group", group), ("strides", new long[] { stride, 1 }), ("dilations", new long[] { 1, dilation })];
            if (padding == "NOTSET") attributes.Add(("pads", new long[] { pad, 0, 1, pad }));
            else attributes.Add(("auto_pad", padding));
            // ONNX Runtime has no dilations with SAME.
            if (padding.StartsWith("SAME", StringComparison.Ordinal)) attributes.RemoveAt(2);
            var w = graph.Initializer(Tensor("w", 1, first, second, 3, 2));
            var b = graph.Initializer(Tensor("b", 2, operation == "Conv" ? 6 : 2 * group));
            graph.Output("y", graph.Node(operation, [x, w, b], [.. attributes]), DataType.Float);
            MatchesOnnxRuntime(graph.Build());
        }
    }

    [Fact]
    public void Run_OperatorThatItDoesNotKnow_AsksOnnxRuntime()
    {
        var graph = new GraphBuilder("resize", 18);
        var x = graph.Input("x", DataType.Float, 1, 2, 3, 4);
        var scales = graph.Initializer(TensorData.Create("scales", [1f, 1f, 2f, 1.5f], 4));
        graph.Output("y", graph.Node("Resize", [x, Value.None, scales], ("mode", "linear")), DataType.Float);
        Assert.False(PartOperators.ByName.ContainsKey("Resize"));
        MatchesOnnxRuntime(graph.Build());
    }

    [Fact]
    public void Run_OwnTypes_RoundEachNodeOnce()
    {
        var graph = new GraphBuilder("halves");
        var x = graph.Input("x", DataType.Float16, 1);
        var sum = graph.Node("Add", [x, graph.Initializer(TensorData.FromDoubles("c", DataType.Float16, [0.25], 1))]);
        graph.Output("y", graph.Node("Sub", [sum, x]), DataType.Float16, 1);
        var model = graph.Build();
        var x1024 = PartTensor.Of(DataType.Float16, new ExactTensor([1], [1024]));
        var y = new PartEvaluator(17).Run(Side(model), new Dictionary<string, PartTensor> { ["x"] = x1024 })["y"];
        // From 1024 on halves are whole numbers.
        Assert.Equal((0.25, 0.0), (y.Exact.Data[0], y.Rounded.Data[0]));
    }

    [Fact]
    public void Run_CustomOperator_SaysThatItCannot()
    {
        var model = new ModelProto { Graph = new GraphProto { Node = { new NodeProto { OpType = "Magic", Domain = "my", Output = { "y" } } } } };
        var exception = Assert.Throws<NotSupportedException>(() => new PartEvaluator(17).Run(Side(model), new Dictionary<string, PartTensor>()));
        Assert.Contains("Magic 'y' is an operator of another domain", exception.Message, StringComparison.Ordinal);
    }

    private static bool IsNumber(ValueInfoProto value) =>
        ElementTypes.Find((DataType)(value.Type?.TensorType?.ElemType ?? 0)) is { Clr: not null, Type: not DataType.String };

    private static PartSide Side(ModelProto model)
    {
        var graph = new ModelEditor(model).Main;
        return new PartSide(graph, [.. graph.Nodes]);
    }

    private static TensorProto Tensor(string name, int seed, params long[] shape)
    {
        var random = new Random(seed);
        return TensorData.Create(
            name, Enumerable.Range(0, (int)shape.Aggregate(1L, (a, b) => a * b)).Select(_ => random.NextSingle() - 0.5f).ToArray(), shape);
    }

    private static Dictionary<string, PartTensor> Feeds(IReadOnlyDictionary<string, HostTensor> inputs) => inputs.ToDictionary(
        input => input.Key,
        input => PartTensor.Of(
            input.Value.Type,
            new ExactTensor([.. input.Value.Shape.Select(size => (int)size)], ElementTypes.Of(input.Value.Type).ToDoubles(input.Value.Data))));

    private static void MatchesOnnxRuntime(ModelProto model)
    {
        using var session = OnnxSession.Load(model, new ExecutionOptions { Optimization = GraphOptimization.None });
        foreach (var (inputs, outputs) in InputGenerator.Run(session))
        {
            var result = new PartEvaluator(OperatorSets.DefaultOf(model)).Run(Side(model), Feeds(inputs))["y"].Exact;
            Assert.Equal(outputs["y"].Shape, result.Shape.Select(size => (long)size));
            Assert.All(result.Data.Zip((float[])outputs["y"].Data), pair => Assert.Equal(pair.Second, pair.First, 1e-5));
        }
    }

    // The largest difference to the outputs that lie beside the inputs, in relation to what they are.
    private static double Worst(ModelProto model, string folder)
    {
        string[] names =
            [.. model.Graph.Input.Select(input => input.Name).Except(model.Graph.Initializer.Select(tensor => tensor.Name))];
        var inputs = names.Length == 0 ? new Dictionary<string, PartTensor>() : Feeds(InputFiles.Read(folder, names)[0]);
        var results = new PartEvaluator(OperatorSets.DefaultOf(model)).Run(Side(model), inputs);
        var worst = 0.0;
        for (var o = 0; o < model.Graph.Output.Count; o++)
        {
            // A mask or indices, which few ask for.
            if (!results.TryGetValue(model.Graph.Output[o].Name, out var actual)) continue;
            var expected = StoredTensor.ToHost(TensorProto.Parser.ParseFrom(File.ReadAllBytes(Path.Combine(folder, $"output_{o}.pb"))));
            // There bfloat16 are bits.
            if (expected.Type == DataType.Uint16 && actual.Type == DataType.Bfloat16) continue;
            if (!expected.Shape.SequenceEqual(actual.Rounded.Shape.Select(size => (long)size))) return double.PositiveInfinity;
            var values = ElementTypes.Of(expected.Type).ToDoubles(expected.Data);
            for (var i = 0; i < values.Length; i++)
            {
                var (e, a) = (values[i], actual.Rounded.Data[i]);
                if (!e.Equals(a)) worst = Math.Max(worst, double.IsNaN(e - a) ? double.PositiveInfinity : Math.Abs(e - a) / Math.Max(1, Math.Abs(e)));
            }
        }

        return worst;
    }
}
