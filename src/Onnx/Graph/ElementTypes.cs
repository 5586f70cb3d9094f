using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// The types of tensor elements: what each is called in ONNX, .NET, ONNX Runtime and NumPy, how large it is, and how it is read and
/// written. This table is the only place that knows; a new type is a new row. (ML.NET's types hang on it in <c>src/Transforms</c>.)
/// </summary>
/// <remarks>
/// Nobody may ask for the type of an array by a pattern: behind a variable of type <see cref="Array"/> or <see cref="object"/> a
/// <c>ushort[]</c> is also a <c>short[]</c>, and so with every pair of signed and unsigned integers.
/// </remarks>
internal static class ElementTypes
{
    private const double LargestBFloat16 = 3.3895313892515355e38;

    private static readonly Dictionary<DataType, ElementType> Rows = new ElementType[]
    {
        Number<float>(DataType.Float, "<f4", tensor => tensor.FloatData, largest: float.MaxValue),
        Number<double>(DataType.Double, "<f8", tensor => tensor.DoubleData, largest: double.MaxValue),
        Number<long>(DataType.Int64, "<i8", tensor => tensor.Int64Data),
        Number<int>(DataType.Int32, "<i4", tensor => tensor.Int32Data),
        Number<short>(DataType.Int16, "<i2", tensor => tensor.Int32Data.Select(value => (short)value)),
        Number<sbyte>(DataType.Int8, "|i1", tensor => tensor.Int32Data.Select(value => (sbyte)value)),
        Number<ulong>(DataType.Uint64, "<u8", tensor => tensor.Uint64Data),
        Number<uint>(DataType.Uint32, "<u4", tensor => tensor.Uint64Data.Select(value => (uint)value)),
        Number<ushort>(DataType.Uint16, "<u2", tensor => tensor.Int32Data.Select(value => (ushort)value)),
        Number<byte>(DataType.Uint8, "|u1", tensor => tensor.Int32Data.Select(value => (byte)value)),
        new ElementType<bool>(DataType.Bool, "|b1", tensor => tensor.Int32Data.Select(value => value != 0))
        {
            Widen = static (raw, into) => Map(raw, into, value => value == 0 ? 0.0 : 1.0),
            Round = static (values, raw) => Map(values, raw, value => value == 0 ? (byte)0 : (byte)1),
        },
        // In .NET both are bits: ONNX Runtime has types of its own for them, and NumPy knows only the first.
        new ElementType<ushort>(DataType.Float16, "<f2", tensor => tensor.Int32Data.Select(value => (ushort)value))
        {
            Largest = (double)Half.MaxValue,
            Widen = Widen<Half>,
            Round = Round<Half>,
        },
        new ElementType<ushort>(DataType.Bfloat16, null, tensor => tensor.Int32Data.Select(value => (ushort)value))
        {
            Largest = LargestBFloat16,
            Widen = static (raw, into) =>
                Map(MemoryMarshal.Cast<byte, ushort>(raw), into, bits => BitConverter.UInt32BitsToSingle((uint)bits << 16)),
            Round = static (values, raw) => Map(values, MemoryMarshal.Cast<byte, ushort>(raw), RoundToBFloat16),
        },
        new TextType(),
        // Of these only the size is known: they pass through as they are.
        new ElementType(DataType.Complex128, 128),
        new ElementType(DataType.Complex64, 64),
        new ElementType(DataType.Float8E4M3Fn, 8),
        new ElementType(DataType.Float8E4M3Fnuz, 8),
        new ElementType(DataType.Float8E5M2, 8),
        new ElementType(DataType.Float8E5M2Fnuz, 8),
        new ElementType(DataType.Int4, 4),
        new ElementType(DataType.Uint4, 4),
        new ElementType(DataType.Float4E2M1, 4),
    }.ToDictionary(row => row.Type);

    private static readonly Dictionary<Type, ElementType> Numbers = Rows.Values.Where(row => row.IsPlain).ToDictionary(row => row.Clr!);

    /// <summary>All rows whose elements .NET has arrays of.</summary>
    public static IEnumerable<ElementType> WithArrays => Rows.Values.Where(row => row.Clr is not null);

    /// <summary>The row of a type; null for one that is not known here.</summary>
    public static ElementType? Find(DataType type) => Rows.GetValueOrDefault(type);

    /// <summary>The row of a type whose elements .NET has arrays of.</summary>
    /// <exception cref="NotSupportedException">It is none.</exception>
    public static ElementType Of(DataType type) => Find(type) is { Clr: not null } row
        ? row
        : throw new NotSupportedException($"There are no elements of type {type} in .NET.");

    /// <summary>The row whose elements are numbers of a .NET type; bits of halves are integers here.</summary>
    /// <exception cref="NotSupportedException">There is none.</exception>
    public static ElementType OfNumbers(Type clr) =>
        Numbers.GetValueOrDefault(clr)
            ?? throw new NotSupportedException($"There are no tensors of {clr.Name}; use float, double, bool or an integer type.");

    /// <summary>
    /// The row of what NumPy calls a type; null for text, whose length is part of its name, and for types that are not known here.
    /// </summary>
    public static ElementType? OfNumpy(string descr) => Rows.Values.FirstOrDefault(row => row.Numpy == descr);

    /// <summary>Rounds to bfloat16, to nearest, ties to even, straight from float64: going through float32 would round twice.</summary>
    private static ushort RoundToBFloat16(double value)
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

    private static ElementType<T> Number<T>(DataType type, string numpy, Func<TensorProto, IEnumerable<T>> fields, double? largest = null)
        where T : unmanaged, INumberBase<T> =>
        new(type, numpy, fields) { Largest = largest, Widen = Widen<T>, Round = Round<T> };

    private static void Widen<T>(ReadOnlySpan<byte> raw, Span<double> into)
        where T : unmanaged, INumberBase<T>
    {
        if (typeof(T) == typeof(float)) RealKernels.Widen(MemoryMarshal.Cast<byte, float>(raw), into);
        else TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, T>(raw), into);
    }

    private static void Round<T>(ReadOnlySpan<double> values, Span<byte> raw)
        where T : unmanaged, INumberBase<T>
    {
        if (typeof(T) == typeof(float)) RealKernels.Narrow(values, MemoryMarshal.Cast<byte, float>(raw));
        else TensorPrimitives.ConvertTruncating(values, MemoryMarshal.Cast<byte, T>(raw));
    }

    private static void Map<TFrom, TTo>(ReadOnlySpan<TFrom> from, Span<TTo> to, Func<TFrom, TTo> convert)
    {
        for (var i = 0; i < from.Length; i++) to[i] = convert(from[i]);
    }

    private sealed class TextType() : ElementType(DataType.String, null)
    {
        public override Type Clr => typeof(string);

        public override Array Read(TensorProto tensor) => tensor.StringData.Select(text => text.ToStringUtf8()).ToArray();

        public override Array Create(long count)
        {
            var texts = new string[count];
            Array.Fill(texts, string.Empty);
            return texts;
        }
    }
}

/// <summary>One type of tensor elements; a row of <see cref="ElementTypes"/>.</summary>
/// <param name="type">The type in ONNX.</param>
/// <param name="bits">The size of an element; null for text.</param>
internal class ElementType(DataType type, int? bits)
{
    /// <summary>The type in ONNX.</summary>
    public DataType Type => type;

    /// <summary>The type in ONNX Runtime, which counts as ONNX does.</summary>
    public TensorElementType Runtime => (TensorElementType)(int)type;

    /// <summary>The size of an element; null for text.</summary>
    public int? Bits => bits;

    /// <summary>The type of an element in .NET, <see cref="ushort"/> with the bits of halves; null where there is none.</summary>
    public virtual Type? Clr => null;

    /// <summary>The type in NumPy; null where it has none, or one with a length.</summary>
    public virtual string? Numpy => null;

    /// <summary>The largest magnitude of a type of real numbers; null for other types.</summary>
    public double? Largest { get; init; }

    /// <summary>Whether elements are real numbers, which alone can be folded.</summary>
    public bool IsReal => Largest is not null;

    /// <summary>Whether .NET computes with elements as they are: numbers and truth values, but no bits of halves.</summary>
    public bool IsPlain => Clr is { IsPrimitive: true } clr && (clr != typeof(ushort) || type == DataType.Uint16);

    /// <summary>The elements of a constant, from whichever field they are stored in.</summary>
    public virtual Array Read(TensorProto tensor) => throw Unknown();

    /// <summary>The elements that lie in a file as bytes.</summary>
    public virtual Array FromBytes(ReadOnlySpan<byte> bytes) => throw Unknown();

    /// <summary>Elements of a constant from <paramref name="start"/> on, as float64.</summary>
    public virtual void Read(TensorProto tensor, int start, Span<double> into) => throw Unknown();

    /// <summary>The elements in some bytes, as float64.</summary>
    public virtual void Read(ReadOnlySpan<byte> bytes, Span<double> into) => throw Unknown();

    /// <summary>Rounds each value once to the type, and writes its bytes.</summary>
    public virtual void Write(ReadOnlySpan<double> values, Span<byte> bytes) => throw Unknown();

    /// <summary>An array of zeros, or of empty texts.</summary>
    public virtual Array Create(long count) => throw Unknown();

    /// <summary>The bytes of such an array.</summary>
    /// <exception cref="NotSupportedException">It is an array of other elements.</exception>
    public virtual Span<byte> Bytes(Array elements) => throw Unknown();

    /// <summary>One element of such an array as float64.</summary>
    public virtual double ToDouble(Array elements, int index) => throw Unknown();

    /// <summary>The elements of such an array as float64.</summary>
    public virtual double[] ToDoubles(Array elements) => throw Unknown();

    /// <summary>Does something that depends on what an element is in .NET.</summary>
    public virtual TResult Do<TResult>(IElementAction<TResult> action) => throw Unknown();

    private NotSupportedException Unknown() => new($"Elements of type {type} are no numbers that can be read here.");
}

/// <summary>Something that is done in the same way for each type of numbers.</summary>
internal interface IElementAction<out TResult>
{
    /// <summary>Does it for one.</summary>
    /// <typeparam name="T">What an element is in .NET.</typeparam>
    TResult For<T>()
        where T : unmanaged;
}

/// <summary>A type of numbers or truth values.</summary>
/// <typeparam name="T">What an element is in .NET.</typeparam>
/// <param name="type">The type in ONNX.</param>
/// <param name="numpy">The type in NumPy.</param>
/// <param name="fields">Gives the elements of a constant that are not stored as bytes.</param>
internal sealed unsafe class ElementType<T>(DataType type, string? numpy, Func<TensorProto, IEnumerable<T>> fields)
    : ElementType(type, 8 * sizeof(T))
    where T : unmanaged
{
    public delegate void Widening(ReadOnlySpan<byte> raw, Span<double> into);

    public delegate void Rounding(ReadOnlySpan<double> values, Span<byte> raw);

    public override Type Clr => typeof(T);

    public override string? Numpy => numpy;

    public required Widening Widen { get; init; }

    public required Rounding Round { get; init; }

    public override T[] Read(TensorProto tensor) => tensor.RawData.Length > 0 ? FromBytes(tensor.RawData.Span) : [.. fields(tensor)];

    // Files are little-endian; so is every machine that .NET 10 and ONNX Runtime both support. Any byte but 0 is true.
    public override T[] FromBytes(ReadOnlySpan<byte> bytes) => typeof(T) == typeof(bool)
        ? (T[])(object)Array.ConvertAll(bytes.ToArray(), value => value != 0)
        : MemoryMarshal.Cast<byte, T>(bytes).ToArray();

    public override void Read(TensorProto tensor, int start, Span<double> into) => Widen(
        tensor.RawData.Length > 0
            ? tensor.RawData.Span.Slice(start * sizeof(T), into.Length * sizeof(T))
            : MemoryMarshal.AsBytes<T>(fields(tensor).Skip(start).Take(into.Length).ToArray()),
        into);

    public override void Read(ReadOnlySpan<byte> bytes, Span<double> into) => Widen(bytes[..(into.Length * sizeof(T))], into);

    public override void Write(ReadOnlySpan<double> values, Span<byte> bytes) => Round(values, bytes[..(values.Length * sizeof(T))]);

    public override T[] Create(long count) => new T[count];

    public override Span<byte> Bytes(Array elements) => elements.GetType() == typeof(T[])
        ? MemoryMarshal.AsBytes(((T[])elements).AsSpan())
        : throw new NotSupportedException($"A tensor of {Type} is a {typeof(T).Name}[], but a {elements.GetType().Name} was given.");

    public override double ToDouble(Array elements, int index)
    {
        Span<double> result = stackalloc double[1];
        Widen(Bytes(elements).Slice(index * sizeof(T), sizeof(T)), result);
        return result[0];
    }

    public override double[] ToDoubles(Array elements)
    {
        var result = new double[elements.Length];
        Widen(Bytes(elements), result);
        return result;
    }

    public override TResult Do<TResult>(IElementAction<TResult> action) => action.For<T>();
}
