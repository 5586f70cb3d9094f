using System.Globalization;
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
