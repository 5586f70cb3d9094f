using System.Globalization;
using System.Numerics.Tensors;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>
/// Matrix products with a constant weight become <see cref="Int8Product">products of 8-bit integers</see>. Each one is tried on the values
/// that it gets inside the model. Where too much is lost its input is balanced: column k is divided by about its largest magnitude and row
/// k of the weight multiplied with it (SmoothQuant, Xiao et al. 2023, arXiv 2211.10438, with α = 1), so that an income and an age can share
/// one scale. Where that does not help either, the product stays float32.
/// </summary>
internal sealed class Int8Products : PrecisionScheme
{
    // A weight of fewer elements gives less room than the new nodes take, and its product takes no time.
    private const int SmallestWeight = 1024;

    // Relative errors of a product. Seven bits of weights and eight of rows lose about 1 % when numbers are spread evenly.
    private const double BalanceAbove = 0.02;
    private const double DeclineAbove = 0.05;

    private static readonly string[] NonNegative = ["Relu", "Sigmoid", "HardSigmoid", "Softmax", "Abs", "Softplus", "Exp"];
    private static readonly string[] KeepingSign =
    [
        "Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "MaxPool", "AveragePool", "GlobalMaxPool",
        "GlobalAveragePool",
    ];

    // QuantizeLinear and MatMulInteger came with 10, axes counted from the end with 11.
    public override long LeastOpset => 11;

    public override IReadOnlyList<PrecisionOutcome> Apply(ModelEditor editor, CalibrationRows rows)
    {
        var graph = editor.Main;
        var products = new List<(NodeProto Node, Candidate? Product, string Reason)>();
        foreach (var node in graph.Nodes.Where(node => node.IsStandard()))
        {
            if (node.OpType is "Conv" or "ConvTranspose") products.Add((node, null, "convolutions stay float32"));
            if (node.OpType is not ("MatMul" or "Gemm")) continue;
            var reason = WhyNot(node, graph, out var product);
            products.Add((node, product, reason ?? string.Empty));
        }

        foreach (var node in editor.Graphs.Skip(1).SelectMany(inner => inner.Nodes).Where(node => node.Is("MatMul") || node.Is("Gemm")))
            products.Add((node, null, "it stands in a subgraph"));
        // All at once: one run of the model shows the inputs of every product.
        var observed = rows.Observe(
            [.. products.Select(product => product.Product?.Input).OfType<string>().Distinct(StringComparer.Ordinal)]);
        return [.. products.Select(item =>
            item.Product is { } product ? Reduce(product, observed[product.Input], editor) : Kept(item.Node, item.Reason))];
    }

    private static PrecisionOutcome Kept(NodeProto node, string reason) => new(node.Label(), false, reason);

    private static string? WhyNot(NodeProto node, OnnxGraph graph, out Candidate? product)
    {
        product = null;
        var lookup = graph.Constant(node.InputAt(1));
        if (lookup.Tensor is not { } weights)
            return graph.Constant(node.InputAt(0)).Tensor is null
                ? $"its weight is no constant: {lookup.Reason}"
                : "its weight stands on the left";
        if (weights.Type != DataType.Float) return $"its weight is {weights.Type}, not float32";
        if (weights.Rank != 2) return $"its weight has {weights.Rank} dimensions, not 2";
        if (node.Integer("transA", 0) != 0) return "its rows stand in columns (transA)";
        if (graph.Constant(node.InputAt(0)).Tensor is not null) return "both operands are constants";
        if (weights.Count < SmallestWeight) return $"its weight has {weights.Count} elements; below {SmallestWeight} nothing is gained";
        if (!double.IsFinite(weights.Largest())) return "its weight holds numbers that are not finite";
        var isTransposed = node.Integer("transB", 0) != 0;
        var count = weights.Shape[isTransposed ? 1 : 0];
        if (count > Int8Weights.MostRows) return $"a sum of {count} products may not fit into 32 bits; up to {Int8Weights.MostRows} do";
        product = new Candidate(node, graph, weights, isTransposed);
        return null;
    }

    private static PrecisionOutcome Reduce(Candidate product, IReadOnlyList<HostTensor> inputs, ModelEditor editor)
    {
        var loss = product.Try(null, editor.Opset, inputs);
        double[]? balance = null;
        if (!(loss <= BalanceAbove) && product.Balance(inputs) is { } factors)
        {
            var balanced = product.Try(factors, editor.Opset, inputs);
            if (balanced < loss) (loss, balance) = (balanced, factors);
        }

        if (!(loss <= DeclineAbove))
            return Kept(product.Node, string.Create(CultureInfo.InvariantCulture, $"it would lose {loss:P1} of its output"));
        var detail = string.Create(
            CultureInfo.InvariantCulture, $"loses {loss:P2} of its output{(balance is null ? string.Empty : ", inputs balanced")}");
        var outcome = new PrecisionOutcome(product.Node.Label(), true, detail);
        product.Apply(balance, editor.Opset);
        return outcome;
    }

    /// <summary>A node <c>x·W</c> or <c>α·x·W + β·c</c> that can be reduced.</summary>
    private sealed class Candidate(NodeProto node, OnnxGraph graph, RealTensor weights, bool isTransposed)
    {
        private readonly bool _isNonNegative = IsNonNegative(node.Input[0], graph);
        private readonly int? _rank = node.OpType == "Gemm" ? 2 : graph.Shape(node.Input[0])?.Rank;

        public NodeProto Node => node;

        public string Input { get; } = node.Input[0];

        public double Try(double[]? balance, long opset, IReadOnlyList<HostTensor> inputs) =>
            Int8Trial.Loss(weights, isTransposed, Emit(balance, opset, 1, null), inputs);

        /// <summary>
        /// For each column of the input the power of two above its largest magnitude, 1 where it is 0; null where all are alike.
        /// </summary>
        public double[]? Balance(IReadOnlyList<HostTensor> inputs)
        {
            var factors = new double[weights.Shape[isTransposed ? 1 : 0]];
            foreach (var values in inputs.Select(tensor => (float[])tensor.Data))
                for (var i = 0; i < values.Length; i++)
                    if (float.IsFinite(values[i]))
                        factors[i % factors.Length] = Math.Max(factors[i % factors.Length], Math.Abs((double)values[i]));
            // Powers of two: what is divided and multiplied by them keeps all of its digits.
            for (var k = 0; k < factors.Length; k++)
                factors[k] = factors[k] > 0 ? Math.ScaleB(1, Math.Clamp(Math.ILogB(factors[k]) + 1, -100, 100)) : 1;
            return Array.TrueForAll(factors, factor => factor == factors[0]) ? null : factors;
        }

        public void Apply(double[]? balance, long opset)
        {
            double? beta = node.OpType == "Gemm" && node.InputAt(2).Length > 0 && node.Real("beta", 1) is var given && given != 0
                ? given
                : null;
            double alpha = node.OpType == "Gemm" ? node.Real("alpha", 1) : 1;
            var inputs = new Dictionary<string, string> { [Int8Product.Input] = node.Input[0] };
            if (beta is not null) inputs.Add(Int8Product.Summand, node.Input[2]);
            graph.Replace(node, Emit(balance, opset, alpha, beta).Graph, inputs);
        }

        private ModelProto Emit(double[]? balance, long opset, double alpha, double? beta)
        {
            var factors = balance is null ? null : Array.ConvertAll(balance, factor => (float)(1 / factor));
            return Int8Product.Emit(
                Int8Weights.Of(weights, isTransposed, balance), (int)opset, _isNonNegative, _rank, alpha, beta, factors);
        }

        // Where signs are impossible all eight bits are left for the magnitude.
        private static bool IsNonNegative(string value, OnnxGraph graph)
        {
            var producer = graph.Producer(value);
            while (producer is not null && producer.IsStandard() && KeepingSign.Contains(producer.OpType))
                producer = graph.Producer(producer.Input[0]);
            return producer is not null && producer.IsStandard() && NonNegative.Contains(producer.OpType);
        }
    }
}

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

/// <summary>How much a product loses in 8 bits, found out by running it both ways on the values that it gets inside the model.</summary>
internal static class Int8Trial
{
    private static readonly ExecutionOptions Settings = new() { Threads = 0, Spinning = false, Name = "a product in 8 bits" };

    /// <summary>
    /// The root of the mean over output channels of Σ(y₈ − y)² / Σy², without the summand. Rows count alike, whatever their size, and so do
    /// channels: neither a large row nor a large channel hides what happens to the others. Rows that hold what is not a number say nothing,
    /// in whatever precision. Infinite when something else is not a number.
    /// </summary>
    public static double Loss(RealTensor weights, bool isTransposed, ModelProto int8, IReadOnlyList<HostTensor> inputs)
    {
        var (rowLength, channels) = ((int)weights.Shape[isTransposed ? 1 : 0], (int)weights.Shape[isTransposed ? 0 : 1]);
        var (errors, squares) = (new double[channels], new double[channels]);
        using var exact = OnnxSession.Load(Exact(weights, isTransposed, int8.OpsetImport[0].Version), Settings);
        using var reduced = OnnxSession.Load(int8, Settings);
        foreach (var input in inputs)
        {
            var feed = new Dictionary<string, HostTensor> { [Int8Product.Input] = input };
            var (expected, actual) = (
                (float[])exact.Run(feed)[Int8Product.Output].Data, (float[])reduced.Run(feed)[Int8Product.Output].Data);
            for (var row = 0; row < expected.Length / channels; row++)
            {
                double size = Math.Abs(TensorPrimitives.MaxMagnitude<float>(((float[])input.Data).AsSpan(row * rowLength, rowLength)));
                if (size == 0 || !double.IsFinite(size)) continue;
                for (var channel = 0; channel < channels; channel++)
                {
                    var y = expected[(row * channels) + channel];
                    var difference = (actual[(row * channels) + channel] - y) / size;
                    errors[channel] += difference * difference;
                    squares[channel] += y / size * (y / size);
                }
            }
        }

        // A channel without any weight has no error either.
        var shares = errors.Zip(squares, (error, square) => error == 0 ? 0 : error / square);
        var loss = Math.Sqrt(shares.Average());
        return double.IsNaN(loss) ? double.PositiveInfinity : loss;
    }

    private static ModelProto Exact(RealTensor weights, bool isTransposed, long opset)
    {
        var nodes = new GraphBuilder("float32", (int)opset);
        var w = nodes.Initializer(weights.ToProto("w"));
        var x = nodes.Input(Int8Product.Input, DataType.Float);
        nodes.Output(Int8Product.Output, nodes.Node("MatMul", [x, isTransposed ? nodes.Node("Transpose", [w]) : w]), DataType.Float);
        var model = nodes.Build();
        foreach (var value in model.Graph.Input.Concat(model.Graph.Output)) value.Type.TensorType.Shape = null;
        return model;
    }
}
