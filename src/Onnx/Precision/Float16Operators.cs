using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Precision;

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
