using Microsoft.ML.OnnxRuntime;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>An input or output of a loaded model.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its element type; <see cref="DataType.Undefined"/> for a sequence or map.</param>
/// <param name="Shape">Its declared shape.</param>
public sealed record TensorInfo(string Name, DataType Type, IReadOnlyList<Dimension> Shape)
{
    internal static TensorInfo Of(string name, NodeMetadata metadata)
    {
        if (!metadata.IsTensor) return new TensorInfo(name, DataType.Undefined, []);
        var shape = metadata.Dimensions.Select((size, axis) =>
            size >= 0 ? size
            : metadata.SymbolicDimensions[axis] is { Length: > 0 } symbol ? symbol
            : Dimension.Unknown);
        return new TensorInfo(name, (DataType)(int)metadata.ElementDataType, [.. shape]);
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Name}: {Type}[{string.Join(", ", Shape)}]";
}
