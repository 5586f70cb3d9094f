using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>Whether a constant holds as many elements as its shape says, found out from counts alone.</summary>
internal static class InitializerChecker
{
    /// <exception cref="InvalidModelException">Too few or too many elements, or an impossible shape.</exception>
    public static void Check(TensorProto tensor, string what)
    {
        var shape = $"[{string.Join(", ", tensor.Dims)}]";
        var count = TensorData.ElementCount(tensor.Dims, tensor.Name);
        if (tensor.DataLocation == TensorProto.Types.DataLocation.External) return;
        var type = (DataType)tensor.DataType;
        if (type == DataType.Undefined) throw new InvalidModelException($"{what} has no element type.");
        if (tensor.HasRawData && type != DataType.String)
        {
            // A type newer than this library knows passes through unmeasured.
            if (ElementTypes.Find(type)?.Bits is not { } bits) return;
            var bytes = (((Int128)count * bits) + 7) / 8;
            if (bytes != tensor.RawData.Length)
                throw new InvalidModelException($"{what} of shape {shape} needs {count} {type} elements ({bytes} bytes), but holds {tensor.RawData.Length} bytes.");
            return;
        }

        var stored = tensor.FloatData.Count + tensor.Int32Data.Count + tensor.Int64Data.Count + tensor.DoubleData.Count + tensor.Uint64Data.Count + tensor.StringData.Count;
        var expected = type switch
        {
            DataType.Complex64 or DataType.Complex128 => 2 * (Int128)count,
            DataType.Int4 or DataType.Uint4 or DataType.Float4E2M1 => ((Int128)count + 1) / 2,
            _ => count,
        };
        if (stored != expected)
            throw new InvalidModelException($"{what} of shape {shape} needs {count} {type} elements, but holds {stored}.");
    }
}
