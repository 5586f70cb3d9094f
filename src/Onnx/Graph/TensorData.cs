using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using Google.Protobuf;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>Creates and reads the constants of a model, whichever way their elements are stored.</summary>
internal static class TensorData
{
    /// <summary>A float32 tensor.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="values">The elements, row-major.</param>
    /// <param name="shape">Its shape; empty for a scalar.</param>
    /// <exception cref="ArgumentException">The shape does not hold as many elements as given.</exception>
    public static TensorProto Create(string name, ReadOnlySpan<float> values, params ReadOnlySpan<long> shape) =>
        FromBytes(name, DataType.Float, MemoryMarshal.AsBytes(values), values.Length, shape);

    /// <summary>A float64 tensor; see <see cref="Create(string, ReadOnlySpan{float}, ReadOnlySpan{long})"/>.</summary>
    public static TensorProto Create(string name, ReadOnlySpan<double> values, params ReadOnlySpan<long> shape) =>
        FromBytes(name, DataType.Double, MemoryMarshal.AsBytes(values), values.Length, shape);

    /// <summary>An int64 tensor; see <see cref="Create(string, ReadOnlySpan{float}, ReadOnlySpan{long})"/>.</summary>
    public static TensorProto Create(string name, ReadOnlySpan<long> values, params ReadOnlySpan<long> shape) =>
        FromBytes(name, DataType.Int64, MemoryMarshal.AsBytes(values), values.Length, shape);

    /// <summary>
    /// A floating-point tensor from float64 values, each rounded once to <paramref name="type"/> (float64, float32, float16 or bfloat16).
    /// </summary>
    /// <exception cref="ArgumentException">Another type, or a shape of another size.</exception>
    public static TensorProto FromDoubles(string name, DataType type, ReadOnlySpan<double> values, params ReadOnlySpan<long> shape)
    {
        switch (type)
        {
            case DataType.Double:
                return Create(name, values, shape);
            case DataType.Float:
                var singles = new float[values.Length];
                for (var i = 0; i < singles.Length; i++) singles[i] = (float)values[i];
                return Create(name, singles, shape);
            case DataType.Float16:
                var halves = new Half[values.Length];
                for (var i = 0; i < halves.Length; i++) halves[i] = (Half)values[i];
                return FromBytes(name, type, MemoryMarshal.AsBytes<Half>(halves), halves.Length, shape);
            case DataType.Bfloat16:
                var brains = new ushort[values.Length];
                for (var i = 0; i < brains.Length; i++) brains[i] = BFloat16FromDouble(values[i]);
                return FromBytes(name, type, MemoryMarshal.AsBytes<ushort>(brains), brains.Length, shape);
            default:
                throw new ArgumentException($"A {type} tensor cannot hold real numbers; use float16, bfloat16, float32 or float64.", nameof(type));
        }
    }

    /// <summary>How many elements a shape holds.</summary>
    /// <exception cref="InvalidModelException">A negative dimension, or more elements than fit in 63 bits.</exception>
    public static long ElementCount(IEnumerable<long> shape, string owner)
    {
        long count = 1;
        foreach (var size in shape)
        {
            if (size < 0) throw new InvalidModelException($"'{owner}' has a negative dimension: [{string.Join(", ", shape)}].");
            try
            {
                count = checked(count * size);
            }
            catch (OverflowException exception)
            {
                throw new InvalidModelException($"'{owner}' has an impossible shape: [{string.Join(", ", shape)}].", exception);
            }
        }

        return count;
    }

    /// <summary>Whether <see cref="ToDoubles"/> can read a type: float16, bfloat16, float32 or float64.</summary>
    public static bool IsReal(int dataType) =>
        (DataType)dataType is DataType.Float or DataType.Double or DataType.Float16 or DataType.Bfloat16;

    /// <summary>The elements of a floating-point tensor as float64 (exact: every such type fits).</summary>
    /// <exception cref="InvalidModelException">Another type, elements in an external file, or fewer or more elements than the shape says.</exception>
    public static double[] ToDoubles(TensorProto tensor)
    {
        var count = CheckedCount(tensor);
        var type = (DataType)tensor.DataType;
        if (!IsReal(tensor.DataType))
            throw new InvalidModelException($"The constant '{tensor.Name}' holds {type}; real numbers were expected.");

        var raw = tensor.RawData.Span;
        var fromRaw = tensor.HasRawData && raw.Length > 0;
        var stored = fromRaw ? raw.Length / (double)ElementSize(type) : type switch
        {
            DataType.Float => tensor.FloatData.Count,
            DataType.Double => tensor.DoubleData.Count,
            _ => tensor.Int32Data.Count,
        };
        if (stored != count)
            throw new InvalidModelException(
                $"The constant '{tensor.Name}' of shape [{string.Join(", ", tensor.Dims)}] needs {count} elements but holds {stored.ToString(CultureInfo.InvariantCulture)}.");

        var values = new double[count];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = type switch
            {
                DataType.Float => fromRaw ? BinaryPrimitives.ReadSingleLittleEndian(raw[(4 * i)..]) : tensor.FloatData[i],
                DataType.Double => fromRaw ? BinaryPrimitives.ReadDoubleLittleEndian(raw[(8 * i)..]) : tensor.DoubleData[i],
                DataType.Float16 => (double)(fromRaw
                    ? BinaryPrimitives.ReadHalfLittleEndian(raw[(2 * i)..])
                    : BitConverter.UInt16BitsToHalf((ushort)tensor.Int32Data[i])),
                _ => BitConverter.UInt32BitsToSingle(
                    (uint)(fromRaw ? BinaryPrimitives.ReadUInt16LittleEndian(raw[(2 * i)..]) : (ushort)tensor.Int32Data[i]) << 16),
            };
        }

        return values;
    }

    /// <summary>The elements of a floating-point tensor as float32.</summary>
    /// <exception cref="InvalidModelException">As <see cref="ToDoubles"/>.</exception>
    public static float[] ToFloats(TensorProto tensor) => Array.ConvertAll(ToDoubles(tensor), value => (float)value);

    private static int ElementSize(DataType type) => type switch
    {
        DataType.Double => 8,
        DataType.Float => 4,
        _ => 2,
    };

    private static long CheckedCount(TensorProto tensor)
    {
        if (tensor.DataLocation == TensorProto.Types.DataLocation.External)
            throw new InvalidModelException($"The constant '{tensor.Name}' is stored in an external file that has not been loaded; read the model with ModelFile.Read.");
        return ElementCount(tensor.Dims, tensor.Name);
    }

    private static TensorProto FromBytes(string name, DataType type, ReadOnlySpan<byte> bytes, int count, ReadOnlySpan<long> shape)
    {
        long size = 1;
        foreach (var dimension in shape) size *= dimension;
        if (size != count)
            throw new ArgumentException($"'{name}' of shape [{string.Join(", ", shape.ToArray())}] needs {size} elements, but {count} were given.");

        // ONNX is little-endian on disk; so is every machine that .NET 10 and ONNX Runtime both support.
        var tensor = new TensorProto { Name = name, DataType = (int)type, RawData = ByteString.CopyFrom(bytes) };
        foreach (var dimension in shape) tensor.Dims.Add(dimension);
        return tensor;
    }

    // Round to nearest, ties to even, straight from float64: going through float32 would round twice.
    internal static ushort BFloat16FromDouble(double value)
    {
        if (double.IsNaN(value)) return 0x7FC0;
        var single = (float)value;
        var bits = BitConverter.SingleToUInt32Bits(single);
        var lower = bits & 0xFFFF;
        var truncated = bits >> 16;
        if (lower == 0x8000 && single != value)
            return (ushort)(Math.Abs(value) > Math.Abs((double)single) ? truncated + 1 : truncated);
        return (ushort)(lower > 0x8000 || (lower == 0x8000 && (truncated & 1) == 1) ? truncated + 1 : truncated);
    }
}
