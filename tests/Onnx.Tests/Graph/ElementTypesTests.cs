using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Verification;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Graph;

public sealed class ElementTypesTests
{
    /// <summary>Every type that .NET has arrays of.</summary>
    public static TheoryData<string> All => [.. ElementTypes.WithArrays.Select(type => $"{type.Type}")];

    public static TheoryData<string> Numbers =>
        [.. ElementTypes.WithArrays.Where(type => type.Type != DataType.String).Select(type => $"{type.Type}")];

    [Fact]
    public void WithArrays_AreTheTypesThatModelsTakeAndGive() => Assert.Equal(
        ["Bfloat16", "Bool", "Double", "Float", "Float16", "Int16", "Int32", "Int64", "Int8", "String",
            "Uint16", "Uint32", "Uint64", "Uint8"],
        ElementTypes.WithArrays.Select(type => $"{type.Type}").Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(All))]
    public void Run_IdentityOfAType_GivesBackTypeAndElements(string name)
    {
        var (type, elements) = Extremes(name);
        var graph = new GraphBuilder("identity");
        graph.Output("y", graph.Node("Identity", [graph.Input("x", type, elements.Length)]), type, elements.Length);
        using var session = OnnxSession.Load(graph.Build());
        var y = session.Run(new Dictionary<string, HostTensor> { ["x"] = new(type, [elements.Length], elements) })["y"];
        Assert.Equal(type, y.Type);
        Assert.Equal(elements.GetType(), y.Data.GetType());
        Assert.Equal(elements, y.Data);
    }

    [Theory]
    [MemberData(nameof(Numbers))]
    public void ToDoubles_OfAType_AreTheNumbersThatOnnxRuntimeSees(string name)
    {
        var (type, elements) = Extremes(name);
        var graph = new GraphBuilder("cast");
        var x = graph.Input("x", type, elements.Length);
        graph.Output("y", graph.Node("Cast", [x], ("to", (long)DataType.Double)), DataType.Double, elements.Length);
        using var session = OnnxSession.Load(graph.Build());
        var y = session.Run(new Dictionary<string, HostTensor> { ["x"] = new(type, [elements.Length], elements) })["y"];
        Assert.Equal((double[])y.Data, ElementTypes.Of(type).ToDoubles(elements));
    }

    [Theory]
    [MemberData(nameof(All))]
    public void FromArray_AsConstant_IsReadByOnnxRuntimeAndByUs(string name)
    {
        var (type, elements) = Extremes(name);
        var tensor = TensorData.FromArray("c", type, elements, elements.Length);
        InitializerChecker.Check(tensor, "the constant");
        Assert.Equal(elements, StoredTensor.ToHost(tensor).Data);
        var graph = new GraphBuilder("constant");
        graph.Output("y", graph.Node("Identity", [graph.Initializer(tensor)]), type, elements.Length);
        using var session = OnnxSession.Load(graph.Build());
        Assert.Equal(elements, session.Run(new Dictionary<string, HostTensor>())["y"].Data);
    }

    [Theory]
    [MemberData(nameof(Numbers))]
    public void ToHost_ElementsInTypedFields_AreThoseOfTheBytes(string name)
    {
        var (type, elements) = Extremes(name);
        var tensor = new TensorProto { Name = "c", DataType = (int)type, Dims = { elements.Length } };
        // Where ONNX says that each type lies when it is not stored as bytes.
        foreach (var element in elements)
        {
            if (element is float single) tensor.FloatData.Add(single);
            else if (element is double real) tensor.DoubleData.Add(real);
            else if (element is long wide) tensor.Int64Data.Add(wide);
            else if (element is ulong or uint) tensor.Uint64Data.Add(Convert.ToUInt64(element, null));
            else tensor.Int32Data.Add(Convert.ToInt32(element, null));
        }

        Assert.Equal(elements, StoredTensor.ToHost(tensor).Data);
        var part = new double[2];
        ElementTypes.Of(type).Read(tensor, 1, part);
        Assert.Equal(ElementTypes.Of(type).ToDoubles(elements)[1..3], part);
    }

    [Theory]
    [MemberData(nameof(Numbers))]
    public void Compare_GeneratedInputsOfAType_AreTakenAndCompared(string name)
    {
        var type = Enum.Parse<DataType>(name);
        var graph = new GraphBuilder("generated");
        graph.Output("y", graph.Node("Identity", [graph.Input("x", type, "N", 8)]), type, "N", 8);
        var model = graph.Build();
        Assert.Equal(0, ModelComparison.Compare(model, model).LargestRelative);
    }

    [Fact]
    public void Compare_HalvesThatDiffer_AreComparedAsNumbers()
    {
        var (one, more) = (BitConverter.HalfToUInt16Bits((Half)1f), BitConverter.HalfToUInt16Bits((Half)1.08f));
        Assert.Equal(0.08, Difference(DataType.Float16, one, more), 1e-3);
        // The smallest number on either side of zero: bits that are far apart.
        Assert.True(Difference(DataType.Float16, 0x0001, 0x8001) < 1e-6);
        // 1 and 1.078125.
        Assert.Equal(0.078125, Difference(DataType.Bfloat16, 0x3F80, 0x3F8A));

        static double Difference(DataType type, ushort left, ushort right)
        {
            var (absolute, relative) = TensorDifference.Of(new(type, [1], new[] { left }), new(type, [1], new[] { right }));
            Assert.Equal(absolute, relative * ElementTypes.Of(type).ToDouble(new[] { left }, 0), 1e-6);
            return absolute;
        }
    }

    [Theory]
    [InlineData("Uint16", 40000, 65535)]
    [InlineData("Uint32", 3000000000, 4294967295)]
    [InlineData("Uint64", 10000000000000000000, 18446744073709551615)]
    [InlineData("Uint8", 200, 255)]
    public void Compare_UnsignedAboveTheSignedRange_AreComparedAsNumbers(string name, double left, double right)
    {
        var type = Enum.Parse<DataType>(name);
        var difference = TensorDifference.Of(new(type, [1], Array(left)), new(type, [1], Array(right)));
        Assert.Equal(right - left, difference.Absolute, right * 1e-15);

        System.Array Array(double value) => type switch
        {
            DataType.Uint16 => new[] { (ushort)value },
            DataType.Uint32 => new[] { (uint)value },
            DataType.Uint64 => new[] { value >= ulong.MaxValue ? ulong.MaxValue : (ulong)value },
            _ => new[] { (byte)value },
        };
    }

    [Fact]
    public void Run_ArrayOfAnotherTypeThanTheTensorSays_IsRefused()
    {
        var graph = new GraphBuilder("identity");
        graph.Output("y", graph.Node("Identity", [graph.Input("x", DataType.Int32, 1)]), DataType.Int32, 1);
        using var session = OnnxSession.Load(graph.Build());
        var message = Assert.Throws<NotSupportedException>(
            () => session.Run(new Dictionary<string, HostTensor> { ["x"] = new(DataType.Int32, [1], new uint[] { 1 }) })).Message;
        Assert.Equal("A tensor of Int32 in a UInt32[] cannot be given to ONNX Runtime.", message);
    }

    // Three elements of which the outer ones tell signed from unsigned and wide from narrow.
    private static (DataType Type, Array Elements) Extremes(string name)
    {
        var type = Enum.Parse<DataType>(name);
        return (type, type switch
        {
            DataType.Float => new[] { float.MinValue, 0, 1.5f },
            DataType.Double => new[] { double.MinValue, 0, 1.1 },
            DataType.Float16 => new ushort[] { 0xFBFF, 0, 0x3C01 },
            DataType.Bfloat16 => new ushort[] { 0xFF7F, 0, 0x3F81 },
            DataType.Int64 => new[] { long.MinValue, 0, long.MaxValue },
            DataType.Int32 => new[] { int.MinValue, 0, int.MaxValue },
            DataType.Int16 => new short[] { short.MinValue, 0, short.MaxValue },
            DataType.Int8 => new sbyte[] { sbyte.MinValue, 0, sbyte.MaxValue },
            DataType.Uint64 => new ulong[] { 1, 0, ulong.MaxValue },
            DataType.Uint32 => new uint[] { 1, 0, uint.MaxValue },
            DataType.Uint16 => new ushort[] { 1, 0, ushort.MaxValue },
            DataType.Uint8 => new byte[] { 1, 0, byte.MaxValue },
            DataType.Bool => new[] { true, false, true },
            _ => new[] { "ä", string.Empty, "b" },
        });
    }
}
