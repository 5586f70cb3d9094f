using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>One place where a value is read.</summary>
/// <param name="Node">The reader.</param>
/// <param name="Input">Which of its inputs, or −1 when one of its subgraphs captures the value.</param>
internal readonly record struct Use(NodeProto Node, int Input)
{
    public bool IsCapture => Input < 0;

    /// <summary>Whether the reader looks at the value's shape alone, so that other elements make no difference.</summary>
    public bool IsShapeOnly => !IsCapture && (Node.Is("Shape") || Node.Is("Size"));

    public bool Is(NodeProto node, int input) => ReferenceEquals(Node, node) && Input == input;
}
