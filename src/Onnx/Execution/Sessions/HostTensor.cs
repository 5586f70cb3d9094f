using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlNetBatchNorm.Onnx.Graph;
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

/// <summary>Managed arrays to ONNX Runtime's tensors and back.</summary>
internal static class HostTensorConversion
{
    /// <summary>A tensor on the host and the buffer that it lies in.</summary>
    /// <exception cref="ArgumentException">It holds no numbers.</exception>
    public static (IDisposable Memory, OrtValue Value) Allocate(OnnxSession session, TensorInfo tensor, long[] shape)
    {
        if (ElementTypes.Find(tensor.Type) is not { IsPlain: true } type)
            throw new ArgumentException($"'{tensor}' is no tensor of numbers, which alone can be kept on a device.");
        return type.Do(new Allocation(session, shape));
    }

    public static OrtValue ToOrtValue(HostTensor tensor)
    {
        if (tensor.Data is string[] texts)
            return OrtValue.CreateFromStringTensor(new DenseTensor<string>(texts, Array.ConvertAll(tensor.Shape, size => (int)size)));
        if (ElementTypes.Find(tensor.Type) is not { Clr: { } element } type || tensor.Data.GetType().GetElementType() != element)
            throw new NotSupportedException(
                $"A tensor of {tensor.Type} in a {tensor.Data.GetType().Name} cannot be given to ONNX Runtime.");
        var value = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, type.Runtime, tensor.Shape);
        type.Bytes(tensor.Data).CopyTo(value.GetTensorMutableRawData());
        return value;
    }

    public static HostTensor FromOrtValue(OrtValue value)
    {
        if (!value.IsTensor) throw new NotSupportedException($"An output of kind {value.OnnxType} is not a tensor.");
        var info = value.GetTensorTypeAndShape();
        var type = (DataType)(int)info.ElementDataType;
        if (type == DataType.String) return new HostTensor(type, info.Shape, value.GetStringTensorAsArray());
        if (ElementTypes.Find(type) is not { Clr: not null } known)
            throw new NotSupportedException($"An output of element type {info.ElementDataType} cannot be read.");
        return new HostTensor(type, info.Shape, known.FromBytes(value.GetTensorMutableRawData()));
    }

    private sealed record Allocation(OnnxSession Session, long[] Shape) : IElementAction<(IDisposable Memory, OrtValue Value)>
    {
        public (IDisposable Memory, OrtValue Value) For<T>()
            where T : unmanaged
        {
            var buffer = Session.CreateBuffer<T>(Shape);
            return (buffer, buffer.ToOrtValue(buffer.Whole));
        }
    }
}
