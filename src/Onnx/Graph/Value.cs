using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// A tensor in a graph that is being built, known by its name. <see cref="None"/> stands for an optional input that is left out.
/// </summary>
/// <param name="Name">The name, unique in its graph; empty for <see cref="None"/>.</param>
internal readonly record struct Value(string Name)
{
    /// <summary>An optional input that is not given (an empty name, as ONNX writes it).</summary>
    public static Value None => new(string.Empty);

    /// <summary>Whether this is a real tensor rather than <see cref="None"/>.</summary>
    public bool IsGiven => !string.IsNullOrEmpty(Name);

    /// <inheritdoc/>
    public override string ToString() => IsGiven ? Name : "(none)";
}

/// <summary>What a graph declares about a value.</summary>
internal static class ValueInfo
{
    /// <summary>A tensor of a type and shape.</summary>
    public static ValueInfoProto Of(string name, DataType type, params ReadOnlySpan<TensorDimension> shape)
    {
        var sizes = new TensorShapeProto();
        foreach (var dimension in shape) sizes.Dim.Add(dimension.ToProto());
        return new ValueInfoProto
        {
            Name = name,
            Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)type, Shape = sizes } },
        };
    }
}
