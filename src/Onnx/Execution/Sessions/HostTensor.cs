using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Execution.Sessions;

/// <summary>A tensor in managed memory, of any element type that ONNX Runtime takes.</summary>
/// <param name="Type">The element type.</param>
/// <param name="Shape">The shape.</param>
/// <param name="Data">
/// The elements, row-major: <c>float[]</c>, <c>double[]</c>, <c>long[]</c>, <c>int[]</c>, <c>short[]</c>, <c>sbyte[]</c>, <c>ulong[]</c>,
/// <c>uint[]</c>, <c>ushort[]</c>, <c>byte[]</c>, <c>bool[]</c> or <c>string[]</c>; <c>ushort[]</c> with the bits for float16 and bfloat16.
/// </param>
internal sealed record HostTensor(DataType Type, long[] Shape, Array Data)
{
    /// <summary>A float32 tensor.</summary>
    public static HostTensor Of(float[] data, params long[] shape) => new(DataType.Float, shape, data);

    /// <summary>An int64 tensor.</summary>
    public static HostTensor Of(long[] data, params long[] shape) => new(DataType.Int64, shape, data);
}
