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
        if (ElementTypes.Find(type) is not { IsReal: true, Bits: { } bits } real)
            throw new ArgumentException(
                $"A {type} tensor cannot hold real numbers; use float16, bfloat16, float32 or float64.", nameof(type));
        var bytes = new byte[values.Length * bits / 8];
        real.Write(values, bytes);
        return FromBytes(name, type, bytes, values.Length, shape);
    }

    /// <summary>A tensor of any type that .NET has arrays of.</summary>
    /// <exception cref="NotSupportedException">The array holds other elements than the type says.</exception>
    public static TensorProto FromArray(string name, DataType type, Array elements, params ReadOnlySpan<long> shape)
    {
        if (elements is not string[] texts) return FromBytes(name, type, ElementTypes.Of(type).Bytes(elements), elements.Length, shape);
        var tensor = new TensorProto { Name = name, DataType = (int)type, StringData = { texts.Select(ByteString.CopyFromUtf8) } };
        foreach (var dimension in shape) tensor.Dims.Add(dimension);
        return tensor;
    }

    /// <summary>How many elements a shape holds.</summary>
    /// <exception cref="InvalidModelException">A negative dimension, or more elements than fit in 63 bits.</exception>
    public static long ElementCount(IReadOnlyList<long> shape, string owner)
    {
        long count = 1;
        // By index: an enumerator of protobuf's lists is slow, and there may be millions of constants.
        for (var i = 0; i < shape.Count; i++)
        {
            var size = shape[i];
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
    public static bool IsReal(int dataType) => ElementTypes.Find((DataType)dataType)?.IsReal ?? false;

    /// <summary>The elements of a floating-point tensor as float64 (exact: every such type fits).</summary>
    /// <exception cref="InvalidModelException">
    /// Another type, elements in an external file, or fewer or more elements than the shape says.
    /// </exception>
    public static double[] ToDoubles(TensorProto tensor)
    {
        var count = CheckedCount(tensor);
        var type = (DataType)tensor.DataType;
        if (!IsReal(tensor.DataType))
            throw new InvalidModelException($"The constant '{tensor.Name}' holds {type}; real numbers were expected.");
        var real = ElementTypes.Of(type);
        var stored = tensor.RawData.Length > 0
            ? tensor.RawData.Length * 8 / (double)real.Bits!
            : tensor.FloatData.Count + tensor.DoubleData.Count + tensor.Int32Data.Count;
        if (stored != count)
            throw new InvalidModelException(string.Create(
                CultureInfo.InvariantCulture,
                $"The constant '{tensor.Name}' of shape [{string.Join(", ", tensor.Dims)}] needs {count} elements but holds {stored}."));
        var values = new double[count];
        real.Read(tensor, 0, values);
        return values;
    }

    /// <summary>The elements of a floating-point tensor as float32.</summary>
    /// <exception cref="InvalidModelException">As <see cref="ToDoubles"/>.</exception>
    public static float[] ToFloats(TensorProto tensor) => Array.ConvertAll(ToDoubles(tensor), value => (float)value);

    /// <summary>The elements of an integer constant of at most one dimension; null for any other tensor.</summary>
    public static TensorDimension[]? ToDimensions(TensorProto tensor)
    {
        // Shapes and axes are short; a long vector is data.
        const int longest = GraphChecker.MostAxes;
        if (tensor.Dims.Count > 1 || tensor.DataLocation == TensorProto.Types.DataLocation.External) return null;
        var raw = tensor.RawData.Span;
        var wide = tensor.DataType == (int)DataType.Int64;
        if (!wide && tensor.DataType != (int)DataType.Int32) return null;
        var size = wide ? 8 : 4;
        var count = raw.Length > 0 ? raw.Length / size : wide ? tensor.Int64Data.Count : tensor.Int32Data.Count;
        if (count > longest || (tensor.Dims.Count == 1 && tensor.Dims[0] != count) || (tensor.Dims.Count == 0 && count != 1)) return null;
        var result = new TensorDimension[count];
        for (var i = 0; i < count; i++)
        {
            result[i] = (wide, raw.Length > 0) switch
            {
                (true, true) => BinaryPrimitives.ReadInt64LittleEndian(raw[(8 * i)..]),
                (true, false) => tensor.Int64Data[i],
                (false, true) => BinaryPrimitives.ReadInt32LittleEndian(raw[(4 * i)..]),
                (false, false) => tensor.Int32Data[i],
            };
        }

        return result;
    }

    private static long CheckedCount(TensorProto tensor)
    {
        if (tensor.DataLocation == TensorProto.Types.DataLocation.External)
            throw new InvalidModelException(
                $"The constant '{tensor.Name}' is stored in an external file that has not been loaded; read the model with"
                + " ModelFile.Read.");
        return ElementCount(tensor.Dims, tensor.Name);
    }

    private static TensorProto FromBytes(string name, DataType type, ReadOnlySpan<byte> bytes, int count, ReadOnlySpan<long> shape)
    {
        long size = 1;
        foreach (var dimension in shape) size *= dimension;
        if (size != count)
            throw new ArgumentException(
                $"'{name}' of shape [{string.Join(", ", shape.ToArray())}] needs {size} elements, but {count} were given.");

        // ONNX is little-endian on disk; so is every machine that .NET 10 and ONNX Runtime both support.
        var tensor = new TensorProto { Name = name, DataType = (int)type, RawData = ByteString.CopyFrom(bytes) };
        foreach (var dimension in shape) tensor.Dims.Add(dimension);
        return tensor;
    }
}
