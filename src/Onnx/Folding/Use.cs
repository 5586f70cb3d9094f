using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>One place where a value is read.</summary>
/// <param name="Node">The reader.</param>
/// <param name="Input">Which of its inputs, or −1 when one of its subgraphs captures the value.</param>
internal readonly record struct Use(NodeProto Node, int Input)
{
    public bool IsCapture => Input < 0;

    public bool Is(NodeProto node, int input) => ReferenceEquals(Node, node) && Input == input;
}
