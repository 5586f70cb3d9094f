using Google.Protobuf;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Execution.Sessions;

/// <summary>
/// What ONNX Runtime gets wrong when left alone, and right in our sessions. The right answer is its own with all optimizations off. That
/// each fault is still there is part of the test: a version that mends one ends it in the list.
/// </summary>
public sealed class RuntimeFaultTests
{
    private static readonly ExecutionOptions Plain = new() { Optimization = GraphOptimization.None };
    private static readonly ExecutionOptions LeftAlone = new() { AllowKnownWrongFusions = true };

    public static TheoryData<string> Faulty => [.. Models.Where(model => model.Value.Optimizers.Length > 0).Select(model => model.Key)];

    public static TheoryData<string> Sound => [.. Models.Where(model => model.Value.Optimizers.Length == 0).Select(model => model.Key)];

    private const string MatMulBatchNorm = "MatMul_BatchNormalization_Fusion";

    // Name → builder, shape of x, and what has to be switched off, where the model is concerned.
    private static Dictionary<string, (Func<ModelProto> Build, long[] Shape, string Optimizers)> Models { get; } = new()
    {
        ["MatMul, Transpose, BatchNormalization"] =
            (() => Make((nodes, x) => BatchNorm(nodes, Transpose(nodes, Product(nodes, x))), 4, 3), [4, 3], MatMulBatchNorm),
        ["MatMul, Reshape, BatchNormalization"] =
            (() => Make((nodes, x) => BatchNorm(nodes, nodes.Node("Reshape", [Product(nodes, x), nodes.Integers(-1, 4, 4)])), 4, 3), [4, 3],
                MatMulBatchNorm),
        ["MatMul, Transpose, Identity, BatchNormalization"] =
            (() => Make((nodes, x) => BatchNorm(nodes, nodes.Node("Identity", [Transpose(nodes, Product(nodes, x))])), 4, 3), [4, 3],
                MatMulBatchNorm),
        ["MatMul, Add of zero, Transpose, BatchNormalization"] =
            (() => Make((nodes, x) => BatchNorm(nodes, Transpose(nodes, nodes.Node("Add", [Product(nodes, x), nodes.Constant(0)]))), 4, 3),
                [4, 3], MatMulBatchNorm),
        ["MatMul, BatchNormalization"] = (() => Make((nodes, x) => BatchNorm(nodes, Product(nodes, x)), "N", 3), [5, 3], string.Empty),
        ["MatMul, Relu, Transpose, BatchNormalization"] =
            (() => Make((nodes, x) => BatchNorm(nodes, Transpose(nodes, nodes.Node("Relu", [Product(nodes, x)]))), 4, 3), [4, 3],
                string.Empty),
        ["Pad, MaxPool"] = (() => Make((nodes, x) => MaxPool(nodes, Pad(nodes, x)), 1, 2, 4, 4), [1, 2, 4, 4], "Pad_Fusion"),
        ["Pad, MaxPool that pads"] =
            (() => Make((nodes, x) => MaxPool(nodes, Pad(nodes, x), 1), 1, 2, 4, 4), [1, 2, 4, 4], "Pad_Fusion"),
        ["Conv, Sub, Pad, MaxPool"] =
            (() => Make((nodes, x) => MaxPool(nodes, Pad(nodes, nodes.Node("Sub", [Conv(nodes, x), nodes.Constant(20)]))), 1, 2, 4, 4),
                [1, 2, 4, 4], "Pad_Fusion"),
        ["Relu, Pad, MaxPool"] =
            (() => Make((nodes, x) => MaxPool(nodes, Pad(nodes, nodes.Node("Relu", [x]))), 1, 2, 4, 4), [1, 2, 4, 4], string.Empty),
        ["Pad, Conv"] = (() => Make((nodes, x) => Conv(nodes, Pad(nodes, x)), 1, 2, 4, 4), [1, 2, 4, 4], string.Empty),
        ["float16 Conv, BatchNormalization"] =
            (() => MakeHalf((nodes, x) => TinyVariance(nodes, HalfConv(nodes, x)), 1, 2, 2, 2), [1, 2, 2, 2],
                $"ConvBNFusion;{MatMulBatchNorm}"),
        ["float16 MatMul, BatchNormalization"] =
            (() => MakeHalf((nodes, x) => TinyVariance(nodes, HalfProduct(nodes, x)), "N", 2), [5, 2], $"ConvBNFusion;{MatMulBatchNorm}"),
        ["float16 Conv, Mul"] =
            (() => MakeHalf(
                (nodes, x) => nodes.Node("Mul", [HalfConv(nodes, x), Half(nodes, "k", [1, 20000, 500, 3], 1, 4, 1, 1)]), 1, 2, 2, 2),
                [1, 2, 2, 2], "ConvMulFusion"),
    };

    [Theory]
    [MemberData(nameof(Faulty))]
    public void Load_AFusionThatIsWrong_IsSwitchedOff(string name)
    {
        var (build, shape, optimizers) = Models[name];
        var model = build();
        var right = Run(model, Plain, shape);
        Assert.True(Difference(right, Run(model, LeftAlone, shape)) > 1e-2, "ONNX Runtime does this right by now.");
        Assert.InRange(Difference(right, Run(model, new(), shape)), 0, 2e-3);
        using var session = OnnxSession.Load(model);
        Assert.Equal(
            optimizers.Split(';'),
            session.Avoided.SelectMany(fault => fault.Fault.Optimizers).Distinct().Order(StringComparer.Ordinal));
        Assert.All(session.Avoided, fault => Assert.NotEmpty(fault.Nodes));
    }

    [Theory]
    [MemberData(nameof(Sound))]
    public void Load_NothingWrong_SwitchesNothingOff(string name)
    {
        var (build, shape, _) = Models[name];
        var model = build();
        using var session = OnnxSession.Load(model);
        Assert.Empty(session.Avoided);
        Assert.InRange(Difference(Run(model, Plain, shape), Run(model, LeftAlone, shape)), 0, 1e-5);
    }

    [Fact]
    public void Load_MixedTypesThatTheFusionCannotLoad_Loads()
    {
        var model = MakeHalf((nodes, x) => BatchNorm(nodes, HalfProduct(nodes, x)), "N", 2);
        Assert.Throws<InvalidModelException>(() => OnnxSession.Load(model, LeftAlone));
        Assert.InRange(Difference(Run(model, Plain, [5, 2]), Run(model, new(), [5, 2])), 0, 2e-3);
    }

    [Fact]
    public void Load_TheFaultInAFunction_IsSwitchedOff()
    {
        var model = Make((nodes, x) => Product(nodes, x), 4, 3);
        var body = Make((nodes, x) => BatchNorm(nodes, Transpose(nodes, x)), 4, 4).Graph;
        var function = new FunctionProto { Name = "Normalize", Domain = "local", Input = { "x" }, Output = { "y" } };
        function.OpsetImport.Add(new OperatorSetIdProto { Version = GraphBuilder.DefaultOpset });
        function.Node.AddRange(body.Initializer.Select(tensor => new NodeProto
        {
            OpType = "Constant",
            Name = tensor.Name,
            Output = { tensor.Name },
            Attribute = { new AttributeProto { Name = "value", Type = AttributeProto.Types.AttributeType.Tensor, T = tensor } },
        }));
        function.Node.AddRange(body.Node);
        model.Functions.Add(function);
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "local", Version = 1 });
        model.Graph.Node[^1].Output[0] = "product";
        model.Graph.Node.Add(
            new NodeProto { OpType = "Normalize", Domain = "local", Name = "f", Input = { "product" }, Output = { "y" } });
        var right = Run(model, Plain, [4, 3]);
        Assert.True(Difference(right, Run(model, LeftAlone, [4, 3])) > 1e-2, "ONNX Runtime does this right by now.");
        Assert.InRange(Difference(right, Run(model, new(), [4, 3])), 0, 1e-5);
    }

    [Fact]
    public void Load_WeightsOfFourBits_LeavesRowsAsTheyAre()
    {
        var nodes = new GraphBuilder("four bits", 21);
        var x = nodes.Input("x", DataType.Float, "N", 64);
        var bits = new TensorProto { Name = "w", DataType = (int)DataType.Int4, Dims = { 64, 16 } };
        bits.RawData = ByteString.CopyFrom([.. Numbers(512, 7, 128, 0).Select(value => (byte)(sbyte)value)]);
        var weights = nodes.Node(
            "DequantizeLinear", [nodes.Initializer(bits), nodes.Initializer(TensorData.Create("scale", Numbers(32, 8, 0.1, 0.2), 2, 16))],
            ("axis", 0L), ("block_size", 32L));
        nodes.Output("y", nodes.Node("MatMul", [x, weights]), DataType.Float, "N", 16);
        var model = nodes.Build();
        var right = Run(model, Plain, [4, 64]);
        Assert.True(Difference(right, Run(model, LeftAlone, [4, 64])) > 1e-3, "ONNX Runtime does this right by now.");
        Assert.InRange(Difference(right, Run(model, new(), [4, 64])), 0, 1e-5);
    }

    [Fact]
    public void Load_FromAFile_SwitchesOffToo()
    {
        var path = Path.Combine(Directory.CreateTempSubdirectory("fault-").FullName, "model.onnx");
        var (build, _, optimizers) = Models["Pad, MaxPool"];
        var model = build();
        ModelFile.Write(model, path);
        using (var session = OnnxSession.Load(path))
            Assert.Equal([optimizers], session.Avoided.SelectMany(fault => fault.Fault.Optimizers));
        Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
    }

    [Fact]
    public void In_AVersionThatHasMendedIt_IsNotListed()
    {
        var fault = RuntimeFault.All[0] with { MendedIn = new Version(1, 40) };
        Assert.True(fault.IsIn(new Version(1, 31, 1)));
        Assert.False(fault.IsIn(new Version(1, 40, 0)));
    }

    [Theory]
    [InlineData(1e4f)]
    [InlineData(1e6f)]
    public void Load_AMeanFarFromZero_LosesNoDigits(float mean)
    {
        var model = Make(
            (nodes, x) => nodes.Node(
                "BatchNormalization",
                [x, .. new[] { [1f, 2f], [0f, 1f], new[] { mean, -mean }, [3f, 0.7f] }.Select(
                    (values, i) => nodes.Initializer(TensorData.Create($"p{i}", values, 2)))],
                ("epsilon", 0f)),
            "N", 2, 3);
        float[] x = [mean + 1, mean - 2, mean, -mean, 1 - mean, -3 - mean];
        double[] centered = [1, -2, 0, 0, 1, -3];
        double[] right = [.. centered.Select((value, i) => i < 3 ? value / Math.Sqrt(3) : (2 * value / Math.Sqrt(0.7f)) + 1)];
        Assert.InRange(Difference(right, Run(model, new(), [1, 2, 3], x)), 0, 2e-7);
        Assert.True(Difference(right, Run(model, LeftAlone, [1, 2, 3], x)) > 1e-5, "ONNX Runtime does this right by now.");
    }

    private static double[] Run(ModelProto model, ExecutionOptions options, long[] shape, float[]? values = null)
    {
        var isHalf = model.Graph.Input[0].Type.TensorType.ElemType == (int)DataType.Float16;
        values ??= Numbers((int)shape.Aggregate(1L, (product, size) => product * size), 5, isHalf ? 0.001 : 3, isHalf ? 0 : -1.5);
        var x = isHalf
            ? new HostTensor(DataType.Float16, shape, Array.ConvertAll(values, value => BitConverter.HalfToUInt16Bits((Half)value)))
            : HostTensor.Of(values, shape);
        using var session = OnnxSession.Load(model, options);
        var y = session.Run(new Dictionary<string, HostTensor> { ["x"] = x })["y"].Data;
        return y is float[] singles
            ? Array.ConvertAll(singles, value => (double)value)
            : Array.ConvertAll((ushort[])y, bits => (double)BitConverter.UInt16BitsToHalf(bits));
    }

    private static double Difference(double[] right, double[] other) =>
        right.Zip(other, (a, b) => double.IsFinite(b) ? Math.Abs(a - b) : double.PositiveInfinity).Max() / right.Max(Math.Abs);

    private static ModelProto Make(Func<GraphBuilder, Value, Value> body, params TensorDimension[] shape) =>
        Make(body, DataType.Float, shape);

    private static ModelProto MakeHalf(Func<GraphBuilder, Value, Value> body, params TensorDimension[] shape) =>
        Make(body, DataType.Float16, shape);

    private static ModelProto Make(Func<GraphBuilder, Value, Value> body, DataType type, TensorDimension[] shape)
    {
        var nodes = new GraphBuilder("model");
        nodes.Output("y", body(nodes, nodes.Input("x", type, shape)), type);
        return nodes.Build();
    }

    private static Value BatchNorm(GraphBuilder nodes, Value x) =>
        nodes.Named(
            "norm", "BatchNormalization",
            [x, Single(nodes, "scale", 1, 0.5, 1), Single(nodes, "bias", 2, 1, 0), Single(nodes, "mean", 3, 1, 0),
                Single(nodes, "variance", 4, 0.5, 1)]);

    private static Value TinyVariance(GraphBuilder nodes, Value x) =>
        nodes.Named(
            "norm", "BatchNormalization",
            [x, Half(nodes, "scale", [300, 1, 1, 1], 4), Half(nodes, "bias", Numbers(4, 2, 1, 0), 4),
                Half(nodes, "mean", Numbers(4, 3, 0.001, 0), 4), Half(nodes, "variance", [1e-7f, 1e-6f, 1e-5f, 1], 4)],
            ("epsilon", 1e-7f));

    private static Value Single(GraphBuilder nodes, string name, int seed, double spread, double middle) =>
        nodes.Initializer(TensorData.Create(name, Numbers(4, seed, spread, middle), 4));

    private static Value Product(GraphBuilder nodes, Value x) =>
        nodes.Node("MatMul", [x, nodes.Initializer(TensorData.Create("w", Numbers(12, 9, 1, 0), 3, 4))]);

    private static Value HalfProduct(GraphBuilder nodes, Value x) =>
        nodes.Node("MatMul", [x, Half(nodes, "w", Numbers(8, 9, 30, 0), 2, 4)]);

    private static Value Conv(GraphBuilder nodes, Value x) =>
        nodes.Node("Conv", [x, nodes.Initializer(TensorData.Create("w", Numbers(4, 9, 1, 1.5), 2, 2, 1, 1))]);

    private static Value HalfConv(GraphBuilder nodes, Value x) =>
        nodes.Node("Conv", [x, Half(nodes, "w", Numbers(8, 9, 30, 0), 4, 2, 1, 1)]);

    private static Value Transpose(GraphBuilder nodes, Value x) => nodes.Node("Transpose", [x], ("perm", new long[] { 1, 0 }));

    private static Value Pad(GraphBuilder nodes, Value x) => nodes.Node("Pad", [x, nodes.Integers(0, 0, 1, 1, 0, 0, 1, 1)]);

    private static Value MaxPool(GraphBuilder nodes, Value x, long pad = 0) =>
        nodes.Node("MaxPool", [x], ("kernel_shape", new long[] { 3, 3 }), ("pads", new[] { pad, pad, pad, pad }));

    private static Value Half(GraphBuilder nodes, string name, float[] values, params long[] dims)
    {
        var tensor = new TensorProto { Name = name, DataType = (int)DataType.Float16, Dims = { dims } };
        tensor.RawData = ByteString.CopyFrom([.. values.SelectMany(value => BitConverter.GetBytes((Half)value))]);
        return nodes.Initializer(tensor);
    }

    private static float[] Numbers(int count, int seed, double spread, double middle)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)((((random.NextDouble() * 2) - 1) * spread) + middle))];
    }
}
