using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Execution.Sessions;

/// <summary>Managed arrays to ONNX Runtime's tensors and back.</summary>
internal static class HostTensorConversion
{
    /// <summary>A tensor on the host and the buffer that it lies in.</summary>
    /// <exception cref="ArgumentException">It holds no numbers.</exception>
    public static (IDisposable Memory, OrtValue Value) Allocate(OnnxSession session, TensorInfo tensor, long[] shape)
    {
        return tensor.Type switch
        {
            DataType.Float => Make<float>(),
            DataType.Double => Make<double>(),
            DataType.Bool => Make<bool>(),
            DataType.Int8 => Make<sbyte>(),
            DataType.Int16 => Make<short>(),
            DataType.Int32 => Make<int>(),
            DataType.Int64 => Make<long>(),
            DataType.Uint8 => Make<byte>(),
            DataType.Uint16 => Make<ushort>(),
            DataType.Uint32 => Make<uint>(),
            DataType.Uint64 => Make<ulong>(),
            _ => throw new ArgumentException($"'{tensor}' is no tensor of numbers, which alone can be kept on a device."),
        };

        (IDisposable Memory, OrtValue Value) Make<T>()
            where T : unmanaged
        {
            var buffer = session.CreateBuffer<T>(shape);
            return (buffer, buffer.ToOrtValue(buffer.Whole));
        }
    }

    public static OrtValue ToOrtValue(HostTensor tensor) => (tensor.Type, tensor.Data) switch
    {
        (DataType.Float16, ushort[] bits) => OrtValue.CreateTensorValueFromMemory(Array.ConvertAll(bits, b => new Float16(b)), tensor.Shape),
        (DataType.Bfloat16, ushort[] bits) => OrtValue.CreateTensorValueFromMemory(Array.ConvertAll(bits, b => new BFloat16(b)), tensor.Shape),
        (_, float[] data) => OrtValue.CreateTensorValueFromMemory(data, tensor.Shape),
        (_, double[] data) => OrtValue.CreateTensorValueFromMemory(data, tensor.Shape),
        (_, long[] data) => OrtValue.CreateTensorValueFromMemory(data, tensor.Shape),
        (_, int[] data) => OrtValue.CreateTensorValueFromMemory(data, tensor.Shape),
        (_, bool[] data) => OrtValue.CreateTensorValueFromMemory(data, tensor.Shape),
        (DataType.Int16, short[] data) => OrtValue.CreateTensorValueFromMemory(data, tensor.Shape),
        (DataType.Uint16, ushort[] data) => OrtValue.CreateTensorValueFromMemory(data, tensor.Shape),
        (DataType.Int8, sbyte[] data) => OrtValue.CreateTensorValueFromMemory(data, tensor.Shape),
        (DataType.Uint8, byte[] data) => OrtValue.CreateTensorValueFromMemory(data, tensor.Shape),
        (DataType.Uint32, uint[] data) => OrtValue.CreateTensorValueFromMemory(data, tensor.Shape),
        (DataType.Uint64, ulong[] data) => OrtValue.CreateTensorValueFromMemory(data, tensor.Shape),
        (_, string[] data) => OrtValue.CreateFromStringTensor(new DenseTensor<string>(data, Array.ConvertAll(tensor.Shape, size => (int)size))),
        _ => throw new NotSupportedException($"A tensor of {tensor.Type} in a {tensor.Data.GetType().Name} cannot be given to ONNX Runtime."),
    };

    public static HostTensor FromOrtValue(OrtValue value)
    {
        if (!value.IsTensor) throw new NotSupportedException($"An output of kind {value.OnnxType} is not a tensor.");
        var info = value.GetTensorTypeAndShape();
        Array data = info.ElementDataType switch
        {
            TensorElementType.Float => value.GetTensorDataAsSpan<float>().ToArray(),
            TensorElementType.Double => value.GetTensorDataAsSpan<double>().ToArray(),
            TensorElementType.Int64 => value.GetTensorDataAsSpan<long>().ToArray(),
            TensorElementType.Int32 => value.GetTensorDataAsSpan<int>().ToArray(),
            TensorElementType.Int16 => value.GetTensorDataAsSpan<short>().ToArray(),
            TensorElementType.Int8 => value.GetTensorDataAsSpan<sbyte>().ToArray(),
            TensorElementType.UInt64 => value.GetTensorDataAsSpan<ulong>().ToArray(),
            TensorElementType.UInt32 => value.GetTensorDataAsSpan<uint>().ToArray(),
            TensorElementType.UInt16 => value.GetTensorDataAsSpan<ushort>().ToArray(),
            TensorElementType.UInt8 => value.GetTensorDataAsSpan<byte>().ToArray(),
            TensorElementType.Bool => value.GetTensorDataAsSpan<bool>().ToArray(),
            TensorElementType.Float16 => Array.ConvertAll(value.GetTensorDataAsSpan<Float16>().ToArray(), half => half.value),
            TensorElementType.BFloat16 => Array.ConvertAll(value.GetTensorDataAsSpan<BFloat16>().ToArray(), half => half.value),
            TensorElementType.String => value.GetStringTensorAsArray(),
            _ => throw new NotSupportedException($"An output of element type {info.ElementDataType} cannot be read."),
        };
        return new HostTensor((DataType)(int)info.ElementDataType, info.Shape, data);
    }
}
