using Google.Protobuf;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// A constant of real numbers while it is folded. Elements are float64, and are rounded to the tensor's type only when it is written: a
/// weight that takes in several maps is still rounded once. Scalings of large weights are noted and applied on the way out, in chunks, so
/// folding needs no float64 copy of them.
/// </summary>
internal sealed class RealTensor
{
    // 64 kB: in the second-level cache, and below what the garbage collector treats as a large object.
    private const int ChunkElements = 1 << 13;

    private readonly ElementReader _read;
    private readonly Scaling[] _scalings;

    private RealTensor(DataType type, long[] shape, ElementReader read, Scaling[] scalings, long stored)
    {
        Type = type;
        Shape = shape;
        _read = read;
        _scalings = scalings;
        Stored = stored;

        // Beside a size of 0 the others may be of any size, too large to be multiplied.
        Count = shape.Contains(0) ? 0 : checked((int)shape.Aggregate(1L, (product, size) => product * size));
    }

    public DataType Type { get; }

    public IReadOnlyList<long> Shape { get; }

    public int Count { get; }

    public int Rank => Shape.Count;

    /// <summary>
    /// The bytes in the file that the elements come from: those of the constants behind a computed one; 0 for a value that is repeated.
    /// </summary>
    public long Stored { get; }

    /// <summary>The bytes that the elements take when they are written out.</summary>
    public long WrittenBytes => (long)Count * ElementTypes.Of(Type).Bits!.Value / 8;

    /// <summary>How many computations wait for each other until the elements can be read.</summary>
    public int Waiting { get; private init; }

    /// <summary>The one value of all elements of a tensor made by <see cref="Filled"/>; null for any other.</summary>
    public double? Repeated { get; private init; }

    /// <summary>The elements of a stored constant; null when they are not real numbers or too many to fold.</summary>
    public static RealTensor? From(TensorProto tensor)
    {
        if (!TensorData.IsReal(tensor.DataType) || !Fits(tensor.Dims) || tensor.DataLocation == TensorProto.Types.DataLocation.External)
            return null;
        var type = ElementTypes.Of((DataType)tensor.DataType);
        return new(type.Type, [.. tensor.Dims], (start, into) => type.Read(tensor, start, into), [], StoredBytes(tensor, type));
    }

    /// <summary>
    /// A tensor whose elements are all the same; it takes no memory, however large it is. Null when it is too large to fold.
    /// </summary>
    public static RealTensor? Filled(DataType type, IReadOnlyList<long> shape, double value) =>
        Fits(shape) ? new(type, [.. shape], (_, into) => into.Fill(value), [], 0) { Repeated = value } : null;

    public static RealTensor Of(DataType type, double[] values, params long[] shape) =>
        new(type, shape, (start, into) => values.AsSpan(start, into.Length).CopyTo(into), [], 8L * values.Length);

    /// <summary>
    /// What a node computes from constants: elements that are worked out when somebody first asks for them, rounded to the type as they are
    /// when the model runs, and kept.
    /// </summary>
    /// <param name="type">The type.</param>
    /// <param name="shape">The shape; see <see cref="Fits"/>.</param>
    /// <param name="stored">See <see cref="Stored"/>.</param>
    /// <param name="waiting">The most that the operands' <see cref="Waiting"/> is.</param>
    /// <param name="compute">Gives the elements in float64.</param>
    public static RealTensor Computed(DataType type, long[] shape, long stored, int waiting, Func<double[]> compute)
    {
        // Each waits on the stack for the one before.
        const int mostWaiting = 64;

        var row = ElementTypes.Of(type);
        var size = row.Bits!.Value / 8;
        var packed = new Lazy<TensorProto>(() =>
        {
            var values = compute();
            var bytes = GC.AllocateUninitializedArray<byte>(checked(values.Length * size));
            row.Write(values, bytes);
            return new TensorProto { DataType = (int)type, RawData = UnsafeByteOperations.UnsafeWrap(bytes) };
        });
        var isDue = waiting >= mostWaiting;
        if (isDue) _ = packed.Value;
        return new(
            type, shape, (start, into) =>
            {
                if (into.Length > 0) row.Read(packed.Value, start, into);
            },
            [], stored)
        {
            Waiting = isDue ? 0 : waiting + 1,
        };
    }

    /// <summary>The same elements as another type (a Cast of a constant): rounded to it when it is written.</summary>
    public RealTensor As(DataType type) => new(type, [.. Shape], _read, _scalings, Stored) { Repeated = Repeated, Waiting = Waiting };

    /// <summary>The same elements in another shape of as many.</summary>
    public RealTensor Reshaped(params long[] shape) =>
        new(Type, shape, _read, _scalings, Stored) { Repeated = Repeated, Waiting = Waiting };

    /// <summary>
    /// The tensor, seen as [outer, middle, channels, inner], with every element multiplied by factors[o, c]: one weight axis (outer = 1),
    /// or one within each group of a grouped convolution.
    /// </summary>
    public RealTensor Scaled(long outer, long middle, long channels, long inner, double[] factors)
    {
        if (outer * middle * channels * inner != Count || factors.Length != outer * channels)
            throw new InvalidOperationException(
                $"[{outer}, {middle}, {channels}, {inner}] with {factors.Length} factors is no view of [{string.Join(", ", Shape)}].");
        // A second scaling of the same axis joins the first, so that a chain of them costs no more than one.
        if (_scalings is [.. var earlier, { } last] && (last.Middle, last.Channels, last.Inner) == (middle, channels, inner))
            return With([.. earlier, last with { Factors = [.. last.Factors.Zip(factors, static (a, b) => a * b)] }]);
        return With([.. _scalings, new Scaling((int)middle, (int)channels, (int)inner, factors)]);

        RealTensor With(Scaling[] scalings) => new(Type, [.. Shape], _read, scalings, Stored);
    }

    /// <summary>Scales along one axis.</summary>
    public RealTensor ScaledAlong(int axis, double[] factors) => Scaled(1, Product(0, axis), Shape[axis], Product(axis + 1, Rank), factors);

    /// <summary>The product of the sizes of the axes from <paramref name="start"/> to before <paramref name="end"/>.</summary>
    public long Product(int start, int end)
    {
        long product = 1;
        for (var i = start; i < end; i++) product *= Shape[i];
        return product;
    }

    /// <summary>Elements from <paramref name="start"/> on, in float64.</summary>
    public void Read(int start, Span<double> into)
    {
        _read(start, into);
        foreach (var scaling in _scalings) scaling.Apply(start, into);
    }

    public double[] ToArray()
    {
        var result = new double[Count];
        Read(0, result);
        return result;
    }

    /// <summary>Hands every chunk of elements to a visitor, with the index of its first element.</summary>
    public void Visit(ChunkVisitor visit)
    {
        var buffer = new double[Math.Min(Count, ChunkElements)];
        for (var start = 0; start < Count; start += buffer.Length)
        {
            var chunk = buffer.AsSpan(0, Math.Min(buffer.Length, Count - start));
            Read(start, chunk);
            visit(start, chunk);
        }
    }

    /// <summary>The largest magnitude; NaN if any element is NaN.</summary>
    public double Largest()
    {
        var largest = 0.0;
        Visit((_, chunk) => largest = Math.Max(largest, RealKernels.LargestMagnitude(chunk)));
        return largest;
    }

    /// <summary>The largest magnitude of each slice along an axis.</summary>
    public double[] LargestAlong(int axis)
    {
        var (result, inner) = (new double[Shape[axis]], Product(axis + 1, Rank));
        Visit((start, chunk) =>
        {
            for (var i = 0; i < chunk.Length; i++)
            {
                ref var slice = ref result[(start + i) / inner % result.Length];
                slice = Math.Max(slice, Math.Abs(chunk[i]));
            }
        });
        return result;
    }

    /// <summary>
    /// The tensor, seen as [outer, middle, channels, inner], multiplied by factors[o, c] and summed over channels and, unless
    /// <paramref name="keepInner"/>, over inner: what a shift in front of the weights adds to each output.
    /// </summary>
    /// <returns>[outer, middle, inner] or [outer, middle], flat.</returns>
    public double[] Contract(long outer, long middle, long channels, long inner, double[] factors, bool keepInner)
    {
        var (m, k, n) = ((int)middle, (int)channels, (int)inner);
        var result = new double[outer * middle * (keepInner ? inner : 1)];
        Visit((start, chunk) =>
        {
            for (var j = 0; j < chunk.Length; j++)
            {
                var row = (start + j) / n;
                var group = row / k;
                var target = keepInner ? (group * n) + ((start + j) % n) : group;
                result[target] += chunk[j] * factors[(group / m * k) + (row % k)];
            }
        });
        return result;
    }

    /// <summary>The constant as it is written, each element rounded once to the tensor's type.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="isLazy">Whether a large one is computed each time it is read; see <see cref="LazyBytes"/>.</param>
    public TensorProto ToProto(string name, bool isLazy = false)
    {
        if (isLazy && WrittenBytes >= LazyBytes.Worthwhile) return Proto(name, new LazyBytes(this).Whole);
        var bytes = GC.AllocateUninitializedArray<byte>(checked((int)WrittenBytes));
        Write(bytes);
        return Proto(name, bytes);
    }

    /// <summary>Writes each element, rounded once to the tensor's type.</summary>
    public void Write(Span<byte> bytes)
    {
        var type = ElementTypes.Of(Type);
        var size = type.Bits!.Value / 8;
        var buffer = new double[Math.Min(Count, ChunkElements)];
        for (var start = 0; start < Count; start += buffer.Length)
        {
            var chunk = buffer.AsSpan(0, Math.Min(buffer.Length, Count - start));
            Read(start, chunk);
            type.Write(chunk, bytes[(start * size)..]);
        }
    }

    private TensorProto Proto(string name, ReadOnlyMemory<byte> bytes) =>
        new() { Name = name, DataType = (int)Type, Dims = { Shape }, RawData = UnsafeByteOperations.UnsafeWrap(bytes) };

    /// <summary>Whether a shape is one that can be folded: no negative size, and few enough elements.</summary>
    public static bool Fits(IReadOnlyList<long> shape)
    {
        // Offsets in bytes are 32-bit in .NET arrays, and no element is larger than eight bytes.
        const int most = int.MaxValue / 8;

        var (count, isEmpty, isTooLarge) = (1L, false, false);
        for (var i = 0; i < shape.Count; i++)
        {
            var size = shape[i];
            if (size < 0) return false;
            isEmpty |= size == 0;
            isTooLarge |= size > most / count;
            if (size > 0 && !isTooLarge) count *= size;
        }

        return isEmpty || !isTooLarge;
    }

    // Typed fields instead of raw bytes take about as many.
    private static long StoredBytes(TensorProto tensor, ElementType type) =>
        tensor.Dims.Aggregate((long)type.Bits!.Value / 8, (product, size) => product * size);

    /// <summary>Sees some neighbouring elements; <paramref name="start"/> is the index of the first.</summary>
    internal delegate void ChunkVisitor(int start, ReadOnlySpan<double> chunk);

    private sealed record Scaling(int Middle, int Channels, int Inner, double[] Factors)
    {
        public void Apply(int start, Span<double> chunk)
        {
            for (var done = 0; done < chunk.Length;)
            {
                var position = start + done;
                var inner = position % Inner;
                var row = position / Inner;
                var channel = row % Channels;
                var factor = (row / Channels / Middle * Channels) + channel;
                if (Inner == 1)
                {
                    // Neighbours are neighbouring channels.
                    var run = Math.Min(Channels - channel, chunk.Length - done);
                    var part = chunk.Slice(done, run);
                    RealKernels.Multiply(part, Factors.AsSpan(factor, run));
                    done += run;
                }
                else
                {
                    var run = Math.Min(Inner - inner, chunk.Length - done);
                    var part = chunk.Slice(done, run);
                    RealKernels.Multiply(part, Factors[factor]);
                    done += run;
                }
            }
        }
    }
}

/// <summary>Gives some elements of a tensor as float64. (An <c>Action</c> takes no span before .NET 9.)</summary>
/// <param name="start">The first of them.</param>
/// <param name="into">Where to.</param>
internal delegate void ElementReader(int start, Span<double> into);
