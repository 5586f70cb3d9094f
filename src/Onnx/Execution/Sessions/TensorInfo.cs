using Microsoft.ML.OnnxRuntime;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>An input or output of a loaded model.</summary>
public sealed record TensorInfo
{
    internal TensorInfo(string name, DataType type, IReadOnlyList<Dimension> shape) => (Name, Type, Shape) = (name, type, shape);

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>Its element type; <see cref="OnnxElementType.Undefined"/> for a sequence or map.</summary>
    public OnnxElementType ElementType => (OnnxElementType)Type;

    /// <summary>Its declared shape, outermost dimension first.</summary>
    public IReadOnlyList<Dimension> Shape { get; }

    internal DataType Type { get; }

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
