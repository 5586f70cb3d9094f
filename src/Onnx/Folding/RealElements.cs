using System.Buffers.Binary;
using System.Runtime.InteropServices;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>Elements of floating-point constants as float64, part by part, from <c>raw_data</c> or from the typed fields.</summary>
internal static class RealElements
{
    public static int Size(DataType type) => type switch
    {
        DataType.Double => 8,
        DataType.Float => 4,
        _ => 2,
    };

    /// <summary>The largest magnitude that a type can hold.</summary>
    public static double Largest(DataType type) => type switch
    {
        DataType.Double => double.MaxValue,
        DataType.Float => float.MaxValue,
        DataType.Float16 => (double)Half.MaxValue,
        _ => BitConverter.UInt32BitsToSingle(0x7F7F0000),
    };

    public static void Read(TensorProto tensor, int start, Span<double> into)
    {
        var type = (DataType)tensor.DataType;
        if (tensor.RawData.Length == 0)
        {
            for (var i = 0; i < into.Length; i++)
            {
                into[i] = type switch
                {
                    DataType.Float => tensor.FloatData[start + i],
                    DataType.Double => tensor.DoubleData[start + i],
                    DataType.Float16 => (double)BitConverter.UInt16BitsToHalf((ushort)tensor.Int32Data[start + i]),
                    _ => BFloat16((ushort)tensor.Int32Data[start + i]),
                };
            }

            return;
        }

        var raw = tensor.RawData.Span.Slice(start * Size(type), into.Length * Size(type));
        switch (type)
        {
            case DataType.Double:
                MemoryMarshal.Cast<byte, double>(raw).CopyTo(into);
                break;
            case DataType.Float:
                var singles = MemoryMarshal.Cast<byte, float>(raw);
                for (var i = 0; i < into.Length; i++) into[i] = singles[i];
                break;
            case DataType.Float16:
                for (var i = 0; i < into.Length; i++) into[i] = (double)BinaryPrimitives.ReadHalfLittleEndian(raw[(2 * i)..]);
                break;
            default:
                for (var i = 0; i < into.Length; i++) into[i] = BFloat16(BinaryPrimitives.ReadUInt16LittleEndian(raw[(2 * i)..]));
                break;
        }
    }

    /// <summary>Rounds each value once to the type and writes its bytes.</summary>
    public static void Write(DataType type, ReadOnlySpan<double> values, Span<byte> bytes)
    {
        switch (type)
        {
            case DataType.Double:
                MemoryMarshal.AsBytes(values).CopyTo(bytes);
                break;
            case DataType.Float:
                var singles = MemoryMarshal.Cast<byte, float>(bytes);
                for (var i = 0; i < values.Length; i++) singles[i] = (float)values[i];
                break;
            case DataType.Float16:
                var halves = MemoryMarshal.Cast<byte, Half>(bytes);
                for (var i = 0; i < values.Length; i++) halves[i] = (Half)values[i];
                break;
            default:
                var brains = MemoryMarshal.Cast<byte, ushort>(bytes);
                for (var i = 0; i < values.Length; i++) brains[i] = TensorData.BFloat16FromDouble(values[i]);
                break;
        }
    }

    private static double BFloat16(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);
}
