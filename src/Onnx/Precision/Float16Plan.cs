using System.Globalization;
using System.Numerics.Tensors;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>
/// Which nodes of a graph compute in float16: matrix products and convolutions of float32 whose values and constants fit, and what lies
/// between two of them. What stands before the first (a mean taken away, say) and behind the last (probabilities) stays float32.
/// </summary>
internal sealed class Float16Plan
{
    // Operators that are not computed in float16, and whose result has the type of their first input.
    private static readonly HashSet<string> KeepsType = new(
        [
            "Abs", "BatchNormalization", "Clip", "Concat", "Div", "Dropout", "Exp", "Expand", "Flatten", "Gather", "Identity", "Log",
            "LogSoftmax", "Max", "Min", "Mul", "Neg", "Pad", "Pow", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Reshape",
            "Sigmoid", "Slice", "Softmax", "Sqrt", "Squeeze", "Sub", "Sum", "Tile", "Transpose", "Unsqueeze",
        ],
        StringComparer.Ordinal);

    private readonly OnnxGraph _graph;
    private readonly HashSet<string> _reals = new(StringComparer.Ordinal);
    private readonly Dictionary<NodeProto, Float16Operators> _chosen = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, double> _largest;

    public Float16Plan(OnnxGraph graph, CalibrationRows rows)
    {
        _graph = graph;
        FindReals();
        var computed = graph.Nodes.Where(node => Float16Operators.Of(node) is not null)
            .SelectMany(node => Float16Operators.Of(node)!.Inputs(node).Select(input => node.Input[input]).Concat(node.Output))
            .Where(value => _reals.Contains(value) && graph.Constant(value).Tensor is null)
            .Distinct(StringComparer.Ordinal).ToList();
        // A NaN comes from a row that has one, in whatever precision; it says nothing about the others.
        _largest = rows.Observe(computed).ToDictionary(
            pair => pair.Key,
            pair => pair.Value.Max(tensor => tensor.Data.Length == 0 ? 0 : Largest((float[])tensor.Data)),
            StringComparer.Ordinal);
        Choose();
    }

    /// <summary>What became of each heavy node.</summary>
    public List<PrecisionOutcome> Outcomes { get; } = [];

    public Float16Operators? Of(NodeProto node) => _chosen.GetValueOrDefault(node);

    /// <summary>Whether somebody still reads a value as float32.</summary>
    public bool IsReadAsFloat32(string value) =>
        _graph.IsOutput(value)
        || _graph.Readers(value).Any(use => use.IsCapture || Of(use.Node)?.Inputs(use.Node).Contains(use.Input) != true);

    // The types of values, as far as operators pass them on; an operator that is not known leaves it to what the model declares.
    private void FindReals()
    {
        var graph = _graph.Proto;
        foreach (var value in graph.Input.Concat(graph.ValueInfo).Concat(graph.Output))
            if (value.Type?.TensorType?.ElemType == (int)DataType.Float) _reals.Add(value.Name);
        foreach (var tensor in graph.Initializer)
            if (tensor.DataType == (int)DataType.Float) _reals.Add(tensor.Name);
        foreach (var node in _graph.Nodes)
        {
            var isReal = node.OpType switch
            {
                "Cast" => node.Integer("to", 0) == (long)DataType.Float,
                "Constant" => _graph.Constant(node.Output[0]).Tensor?.Type == DataType.Float,
                _ when KeepsType.Contains(node.OpType) => _reals.Contains(node.InputAt(0)),
                _ => Float16Operators.Of(node) is not null && _reals.Contains(node.InputAt(0)),
            };
            if (isReal) _reals.Add(node.Output[0]);
        }
    }

    private void Choose()
    {
        var nodes = _graph.Nodes.ToList();
        foreach (var node in nodes)
        {
            if (Float16Operators.Of(node) is not { } form) continue;
            if (!form.IsHeavy
                && !form.Inputs(node).Any(input => _graph.Producer(node.Input[input]) is { } producer && _chosen.ContainsKey(producer)))
                continue;
            var reason = WhyNot(node, form);
            if (reason is null) _chosen.Add(node, form);
            if (form.IsHeavy) Outcomes.Add(new PrecisionOutcome(node.Label(), reason is null, reason ?? string.Empty));
        }

        // A light node whose result is needed in float32 anyway gains nothing.
        for (var i = nodes.Count - 1; i >= 0; i--)
        {
            if (Of(nodes[i]) is { IsHeavy: false } && IsReadAsFloat32(nodes[i].Output[0])) _chosen.Remove(nodes[i]);
        }
    }

    private string? WhyNot(NodeProto node, Float16Operators form)
    {
        foreach (var input in form.Inputs(node))
        {
            var value = node.Input[input];
            if (!_reals.Contains(value)) return $"'{value}' is not known to be float32";
            if (_graph.Constant(value).Tensor is { } constant)
            {
                if (Float16Range.WhyNot(constant) is { } reason) return $"of the constant '{value}': {reason}";
            }
            else if (WhyTooLarge(value) is { } reason)
            {
                return reason;
            }
        }

        return WhyTooLarge(node.Output[0]);
    }

    private static double Largest(float[] values) => double.Abs(TensorPrimitives.MaxMagnitudeNumber<float>(values));

    // Half of the range is left for rows that were not seen.
    private string? WhyTooLarge(string value) => _largest.TryGetValue(value, out var largest) && !(largest <= Float16Range.Largest / 2)
        ? string.Create(
            CultureInfo.InvariantCulture, $"'{value}' reaches {largest:G3} on the rows, and float16 ends at {Float16Range.Largest}")
        : null;
}

/// <summary>
/// Which operators compute in float16, and which of their inputs become float16. Not listed, and so float32: everything that sums many
/// numbers outside of a product, or that is steep (Softmax, Exp, reductions, normalizations).
/// </summary>
/// <param name="IsHeavy">Whether the operator is worth a conversion by itself; a light one is taken along between two heavy ones.</param>
/// <param name="RealInputs">How many inputs, from the first, hold real numbers; the others are shapes and indexes.</param>
internal sealed record Float16Operators(bool IsHeavy, int RealInputs)
{
    private static readonly Float16Operators Product = new(true, int.MaxValue);
    private static readonly Float16Operators Elementwise = new(false, int.MaxValue);
    private static readonly Float16Operators Layout = new(false, 1);

    private static readonly Dictionary<string, Float16Operators> ByName = new(StringComparer.Ordinal)
    {
        ["MatMul"] = Product,
        ["Gemm"] = Product,
        ["Conv"] = Product,
        ["ConvTranspose"] = Product,
        ["Relu"] = Elementwise,
        ["LeakyRelu"] = Elementwise,
        ["PRelu"] = Elementwise,
        ["Elu"] = Elementwise,
        ["Selu"] = Elementwise,
        ["Sigmoid"] = Elementwise,
        ["HardSigmoid"] = Elementwise,
        ["Tanh"] = Elementwise,
        ["Clip"] = Elementwise,
        ["Add"] = Elementwise,
        ["Sub"] = Elementwise,
        ["Mul"] = Elementwise,
        ["Sum"] = Elementwise,
        ["Max"] = Elementwise,
        ["Min"] = Elementwise,
        ["Neg"] = Elementwise,
        ["Abs"] = Elementwise,
        ["Concat"] = Elementwise,
        ["Identity"] = Elementwise,
        ["MaxPool"] = Elementwise,
        ["AveragePool"] = Elementwise,
        ["GlobalMaxPool"] = Elementwise,
        ["GlobalAveragePool"] = Elementwise,
        ["Flatten"] = Layout,
        ["Reshape"] = Layout,
        ["Squeeze"] = Layout,
        ["Unsqueeze"] = Layout,
        ["Transpose"] = Layout,
        ["Slice"] = Layout,
        ["Expand"] = Layout,
    };

    /// <summary>How a node is converted, or null when it is not.</summary>
    public static Float16Operators? Of(NodeProto node) =>
        node.IsStandard() && node.Output.Count == 1 ? ByName.GetValueOrDefault(node.OpType) : null;

    /// <summary>The indexes of a node's inputs that become float16.</summary>
    public IEnumerable<int> Inputs(NodeProto node) =>
        Enumerable.Range(0, Math.Min(RealInputs, node.Input.Count)).Where(input => node.Input[input].Length > 0);
}
