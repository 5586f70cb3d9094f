using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx;

/// <summary>An input or output of a loaded model.</summary>
public sealed record TensorInfo
{
    internal TensorInfo(string name, DataType type, IReadOnlyList<TensorDimension> shape) => (Name, Type, Shape) = (name, type, shape);

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>Its element type; <see cref="OnnxElementType.Undefined"/> for a sequence or map.</summary>
    public OnnxElementType ElementType => (OnnxElementType)Type;

    /// <summary>Its declared shape, outermost dimension first.</summary>
    public IReadOnlyList<TensorDimension> Shape { get; }

    internal DataType Type { get; }

    /// <inheritdoc/>
    public override string ToString() => $"{Name}: {Type}[{string.Join(", ", Shape)}]";
}
