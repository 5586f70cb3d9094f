using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>
/// <c>y = x·W + c</c> with an <see cref="Int8Weights">8-bit weight</see>, in ONNX's own operators. Each row of x is divided by its largest
/// magnitude m and brought to 8 bits, <c>a = round(127·x/m) + 128</c>, or <c>a = round(255·x/m)</c> where x is never negative; the integers
/// are multiplied exactly; and <c>y = Σ(a − z)·q · (s/127) · m + c</c>, with z = 128 (or 0) and 255 in place of 127.
/// </summary>
/// <remarks>
/// DynamicQuantizeLinear would do the same with one scale for all rows: then the answer for a row depends on which rows are beside it, and
/// one row with a large number spoils the others.
/// <para>
/// Bytes know no NaN, and ONNX Runtime's ReduceMax may pass over one: a row with a number that is not finite would get an answer that looks
/// like any other. So m is m + 0·Σ(x/m), which is NaN for such a row and m for every other, and so is the answer. A row of zeros is divided
/// by the smallest normal number, and gives an exact 0.
/// </para>
/// </remarks>
internal static class Int8Product
{
    private const float SmallestNormal = 1.17549435e-38f;

    public const string Input = "x", Summand = "c", Output = "y";

    /// <summary>Emits the graph, with the inputs <see cref="Input"/> and, if it has one, <see cref="Summand"/>.</summary>
    /// <param name="weights">W.</param>
    /// <param name="opset">The operator set to write for; at least 11.</param>
    /// <param name="isNonNegative">Whether x is never negative.</param>
    /// <param name="rank">How many axes x has; null = not known.</param>
    /// <param name="alpha">Multiplies the product.</param>
    /// <param name="beta">Multiplies the summand; null = there is none.</param>
    /// <param name="inputFactors">Factors of the columns of x, which W must have been divided by; null = none.</param>
    public static ModelProto Emit(
        Int8Weights weights, int opset, bool isNonNegative, int? rank, double alpha = 1, double? beta = null, float[]? inputFactors = null)
    {
        var nodes = new GraphBuilder("int8", opset);
        var x = nodes.Input(Input, DataType.Float);
        var c = beta is null ? Value.None : nodes.Input(Summand, DataType.Float);
        if (inputFactors is not null)
            x = nodes.Named("balanced", "Mul", [x, nodes.Initializer(TensorData.Create("balance", inputFactors, inputFactors.Length))]);

        var steps = isNonNegative ? 255 : 127;
        var zero = nodes.Initializer(new TensorProto
        {
            Name = "zero",
            DataType = (int)DataType.Uint8,
            RawData = Google.Protobuf.ByteString.CopyFrom((byte)(isNonNegative ? 0 : 128)),
        });
        // Counted from the front where that is possible: of no rows at all, ONNX Runtime 1.29 takes the maximum along axis -1 without that
        // axis going away.
        var last = rank - 1 ?? -1;
        var largest = nodes.ReduceMax(isNonNegative ? x : nodes.Node("Abs", [x]), keepAxes: true, last);
        var shares = nodes.Node("Div", [x, nodes.Node("Max", [largest, nodes.Constant(SmallestNormal)])]);
        largest = nodes.Node("Add", [largest, nodes.Node("Mul", [nodes.ReduceSum(shares, keepAxes: true, last), nodes.Constant(0f)])]);
        var bytes = nodes.Named("bytes", "QuantizeLinear", [shares, nodes.Constant(1f / steps), zero]);
        var sums = nodes.Node("MatMulInteger", [bytes, nodes.Initializer(weights.ToProto("int8")), zero]);

        // Two products, not one with (s·m): ONNX Runtime takes that for the pattern of DynamicQuantizeLinear, and reads the first row's m
        // for all.
        var scales = Array.ConvertAll(weights.Scales, scale => (float)(scale * alpha / steps));
        var y = nodes.Node("Cast", [sums], ("to", (long)DataType.Float));
        y = nodes.Node("Mul", [y, nodes.Initializer(TensorData.Create("scales", scales, scales.Length))]);
        y = nodes.Node("Mul", [y, largest]);
        if (c.IsGiven) y = nodes.Node("Add", [y, beta == 1 ? c : nodes.Node("Mul", [c, nodes.Constant((float)beta!.Value)])]);
        nodes.Output(Output, y, DataType.Float);
        var model = nodes.Build();
        // Any number of rows, in any number of dimensions.
        foreach (var value in model.Graph.Input.Concat(model.Graph.Output)) value.Type.TensorType.Shape = null;
        return model;
    }
}
