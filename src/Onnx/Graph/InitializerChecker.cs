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
            if (BitsPerElement(type) is not { } bits) return;
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

    /// <summary>The size of an element, or null for strings and types that are not known here.</summary>
    public static int? BitsPerElement(DataType type) => type switch
    {
        DataType.Complex128 => 128,
        DataType.Double or DataType.Int64 or DataType.Uint64 or DataType.Complex64 => 64,
        DataType.Float or DataType.Int32 or DataType.Uint32 => 32,
        DataType.Float16 or DataType.Bfloat16 or DataType.Int16 or DataType.Uint16 => 16,
        DataType.Bool or DataType.Int8 or DataType.Uint8 or DataType.Float8E4M3Fn or DataType.Float8E4M3Fnuz or DataType.Float8E5M2 or DataType.Float8E5M2Fnuz => 8,
        DataType.Int4 or DataType.Uint4 or DataType.Float4E2M1 => 4,
        _ => null,
    };
}
