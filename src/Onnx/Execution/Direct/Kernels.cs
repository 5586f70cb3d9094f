using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MlNetBatchNorm.Onnx.Execution.Direct;

/// <summary>
/// The arithmetic on rows. A row takes a multiple of <see cref="Step"/> numbers, of which the last ones may mean nothing: they may be
/// written, and never count.
/// </summary>
internal abstract unsafe class Kernels
{
    /// <summary>What the numbers that a row takes are a multiple of.</summary>
    public const int Step = 16;

    /// <summary>The columns of weights that lie together.</summary>
    public const int Panel = 64;

    /// <summary>Those of the widest vectors that the processor has.</summary>
    public static Kernels Best { get; } = Vector512.IsHardwareAccelerated ? Of(512) : Vector256.IsHardwareAccelerated ? Of(256) : Of(128);

    /// <summary>The bits of a vector.</summary>
    public abstract int Width { get; }

    /// <summary>Those of a width: 512, 256 or 128 bits.</summary>
    public static Kernels Of(int bits) => bits switch
    {
        512 => new Kernels<Lanes512, Vector512<float>>(),
        256 => new Kernels<Lanes256, Vector256<float>>(),
        _ => new Kernels<Lanes128, Vector128<float>>(),
    };

    /// <summary>The numbers that a row of so many takes.</summary>
    public static int Padded(int count) => (count + Step - 1) / Step * Step;

    /// <summary>y = x·W + bias, or y = y + x·W + bias.</summary>
    /// <param name="product">The weights and sizes.</param>
    /// <param name="x">The rows.</param>
    /// <param name="xStride">From one row to the next.</param>
    /// <param name="y">The results.</param>
    /// <param name="yStride">From one row to the next.</param>
    /// <param name="rows">Their number.</param>
    public abstract void Multiply(in PackedProduct product, float* x, int xStride, float* y, int yStride, int rows);

    /// <summary>
    /// The same for groups of columns with few results each: sums of products along rows of the transposed weights, which lie one behind
    /// the other, group by group.
    /// </summary>
    public abstract void Dots(
        float* weights, float* bias, int groups, int inner, int columns, float* x, int xStride, float* y, int yStride, int rows);

    /// <summary>Adds rows of a table: for each feature what lies between two neighbouring rows.</summary>
    /// <param name="table">The table, 16 columns after the other, so that a part of it stays in the nearest cache for many rows.</param>
    /// <param name="entries">The rows of the table.</param>
    /// <param name="at">For each row and feature the first of the two rows of the table.</param>
    /// <param name="between">How far it is from there to the next one, from 0 to 1.</param>
    /// <param name="features">Their number.</param>
    /// <param name="y">What they are added to.</param>
    /// <param name="width">The numbers of a row, padded.</param>
    /// <param name="rows">The rows.</param>
    public abstract void Interpolate(float* table, int entries, int* at, float* between, int features, float* y, int width, int rows);

    /// <summary>How many of so many numbers, padded, are at most as large as a number.</summary>
    public abstract int CountAtMost(float* numbers, int count, float limit);

    /// <summary>A function of each number.</summary>
    public abstract void Map(MapKind kind, float* x, float* y, int count, float a, float b);

    /// <summary>A function of two numbers, for each of a row; a constant has a stride of 0.</summary>
    public abstract void Combine(
        CombineKind kind, float* a, int aStride, float* b, int bStride, float* y, int yStride, int rows, int width);

    /// <summary>a where the condition is not 0, else b.</summary>
    public abstract void Select(
        float* condition, int conditionStride, float* a, int aStride, float* b, int bStride, float* y, int yStride, int rows, int width);

    /// <summary>Softmax, or its logarithm, of each of the groups that a row consists of.</summary>
    public abstract void Softmax(float* x, float* y, int stride, int rows, int groups, int width, bool isLog);
}

/// <summary>A matrix as kernels read it: panels of 64 columns, in each one row of weights behind the other.</summary>
internal readonly unsafe struct PackedProduct
{
    /// <summary>The panels; the columns are padded with zeros.</summary>
    public required float* Weights { get; init; }

    /// <summary>What is added at the end, padded; null = nothing.</summary>
    public required float* Bias { get; init; }

    /// <summary>The rows of the matrix: the numbers that are multiplied and added up for each result.</summary>
    public required int Inner { get; init; }

    /// <summary>Its columns.</summary>
    public required int Columns { get; init; }

    /// <summary>Whether what is in the result already is kept.</summary>
    public required bool Adds { get; init; }

    /// <summary>Whether nothing may be written behind the last column.</summary>
    public required bool IsExact { get; init; }
}

/// <summary>The kernels of one vector type.</summary>
/// <typeparam name="TLanes">What it can do.</typeparam>
/// <typeparam name="T">The type.</typeparam>
/// <remarks>
/// Compiled with all optimizations from the beginning, or the first measurement would be one of slow code. Each number of a product adds
/// up in the order of the inner index, as ONNX Runtime's kernels do, so that mostly not even the last bit differs.
/// </remarks>
internal sealed unsafe class Kernels<TLanes, T> : Kernels
    where TLanes : ILanes<T>
    where T : unmanaged
{
    private const MethodImplOptions Optimized = MethodImplOptions.AggressiveOptimization;
    private const MethodImplOptions Inlined = MethodImplOptions.AggressiveInlining;

    /// <inheritdoc/>
    public override int Width => TLanes.Count * 32;

    /// <inheritdoc/>
    [MethodImpl(Optimized)]
    public override void Multiply(in PackedProduct product, float* x, int xStride, float* y, int yStride, int rows)
    {
        var padded = Padded(product.Columns);
        for (; rows >= 4; rows -= 4, x += 4 * (nint)xStride, y += 4 * (nint)yStride)
            for (var start = 0; start < padded; start += Panel)
                MultiplyFour(product, start, Math.Min(Panel, padded - start), x, xStride, y, yStride);
        for (; rows > 0; rows--, x += xStride, y += yStride)
            for (var start = 0; start < padded; start += Panel)
                MultiplyOne(product, start, Math.Min(Panel, padded - start), x, y);
    }

    /// <inheritdoc/>
    [MethodImpl(Optimized)]
    public override void Dots(
        float* weights, float* bias, int groups, int inner, int columns, float* x, int xStride, float* y, int yStride, int rows)
    {
        var whole = inner / TLanes.Count * TLanes.Count;
        for (var row = 0; row < rows; row++)
        {
            var w = weights;
            for (var group = 0; group < groups; group++)
            {
                var from = x + ((nint)row * xStride) + (group * inner);
                var to = y + ((nint)row * yStride) + (group * columns);
                for (var column = 0; column < columns; column++)
                {
                    T lanes = default;
                    for (var k = 0; k < whole; k += TLanes.Count)
                        lanes = TLanes.MultiplyAdd(TLanes.Load(from + k), TLanes.Load(w + k), lanes);
                    var sum = TLanes.Sum(lanes);
                    for (var k = whole; k < inner; k++) sum += from[k] * w[k];
                    to[column] = bias is null ? sum : sum + bias[(group * columns) + column];
                    w += inner;
                }
            }
        }
    }

    /// <inheritdoc/>
    [MethodImpl(Optimized)]
    public override void Interpolate(float* table, int entries, int* at, float* between, int features, float* y, int width, int rows)
    {
        for (var tile = 0; tile < width; tile += Step)
        {
            var own = between;
            var places = at;
            var to = y + tile;
            for (var row = 0; row < rows; row++)
            {
                for (var column = 0; column < Step; column += TLanes.Count)
                {
                    var sum = TLanes.Load(to + column);
                    for (var feature = 0; feature < features; feature++)
                    {
                        var from = table + ((nint)places[feature] * Step) + column;
                        var start = TLanes.Load(from);
                        var way = TLanes.Subtract(TLanes.Load(from + Step), start);
                        sum = TLanes.Add(sum, TLanes.MultiplyAdd(way, TLanes.All(own[feature]), start));
                    }

                    TLanes.Store(sum, to + column);
                }

                own += features;
                places += features;
                to += width;
            }

            table += (nint)entries * Step;
        }
    }

    /// <inheritdoc/>
    [MethodImpl(Optimized)]
    public override int CountAtMost(float* numbers, int count, float limit)
    {
        var result = 0;
        for (var i = 0; i < count; i += TLanes.Count) result += TLanes.CountAtMost(TLanes.Load(numbers + i), limit);
        return result;
    }

    /// <inheritdoc/>
    public override void Map(MapKind kind, float* x, float* y, int count, float a, float b)
    {
        switch (kind)
        {
            case MapKind.Abs: Map<AbsMap>(x, y, count, a, b); break;
            case MapKind.Negate: Map<NegateMap>(x, y, count, a, b); break;
            case MapKind.Sqrt: Map<SqrtMap>(x, y, count, a, b); break;
            case MapKind.Reciprocal: Map<ReciprocalMap>(x, y, count, a, b); break;
            case MapKind.Exp: Map<ExpMap>(x, y, count, a, b); break;
            case MapKind.Log: Map<LogMap>(x, y, count, a, b); break;
            case MapKind.Floor: Map<FloorMap>(x, y, count, a, b); break;
            case MapKind.Ceiling: Map<CeilingMap>(x, y, count, a, b); break;
            case MapKind.Round: Map<RoundMap>(x, y, count, a, b); break;
            case MapKind.Square: Map<SquareMap>(x, y, count, a, b); break;
            case MapKind.Truncate: Map<TruncateMap>(x, y, count, a, b); break;
            case MapKind.IsNaN: Map<IsNaNMap>(x, y, count, a, b); break;
            case MapKind.Not: Map<NotMap>(x, y, count, a, b); break;
            case MapKind.Relu: Map<ReluMap>(x, y, count, a, b); break;
            case MapKind.LeakyRelu: Map<LeakyReluMap>(x, y, count, a, b); break;
            case MapKind.Elu: Map<EluMap>(x, y, count, a, b); break;
            case MapKind.Selu: Map<SeluMap>(x, y, count, a, b); break;
            case MapKind.Sigmoid: Map<SigmoidMap>(x, y, count, a, b); break;
            case MapKind.Silu: Map<SiluMap>(x, y, count, a, b); break;
            case MapKind.Tanh: Map<TanhMap>(x, y, count, a, b); break;
            case MapKind.Softplus: Map<SoftplusMap>(x, y, count, a, b); break;
            case MapKind.Softsign: Map<SoftsignMap>(x, y, count, a, b); break;
            case MapKind.HardSigmoid: Map<HardSigmoidMap>(x, y, count, a, b); break;
            case MapKind.HardSwish: Map<HardSwishMap>(x, y, count, a, b); break;
            case MapKind.Erf: Map<ErfMap>(x, y, count, a, b); break;
            case MapKind.Gelu: Map<GeluMap>(x, y, count, a, b); break;
            case MapKind.GeluTanh: Map<GeluTanhMap>(x, y, count, a, b); break;
            case MapKind.Clip: Map<ClipMap>(x, y, count, a, b); break;
            default: throw new ArgumentOutOfRangeException(nameof(kind), kind, null);
        }
    }

    /// <inheritdoc/>
    public override void Combine(
        CombineKind kind, float* a, int aStride, float* b, int bStride, float* y, int yStride, int rows, int width)
    {
        switch (kind)
        {
            case CombineKind.Add: Combine<AddOf>(a, aStride, b, bStride, y, yStride, rows, width); break;
            case CombineKind.Subtract: Combine<SubtractOf>(a, aStride, b, bStride, y, yStride, rows, width); break;
            case CombineKind.Multiply: Combine<MultiplyOf>(a, aStride, b, bStride, y, yStride, rows, width); break;
            case CombineKind.Divide: Combine<DivideOf>(a, aStride, b, bStride, y, yStride, rows, width); break;
            case CombineKind.Min: Combine<MinOf>(a, aStride, b, bStride, y, yStride, rows, width); break;
            case CombineKind.Max: Combine<MaxOf>(a, aStride, b, bStride, y, yStride, rows, width); break;
            case CombineKind.Less: Combine<LessOf>(a, aStride, b, bStride, y, yStride, rows, width); break;
            case CombineKind.LessOrEqual: Combine<LessOrEqualOf>(a, aStride, b, bStride, y, yStride, rows, width); break;
            case CombineKind.Greater: Combine<LessOf>(b, bStride, a, aStride, y, yStride, rows, width); break;
            case CombineKind.GreaterOrEqual: Combine<LessOrEqualOf>(b, bStride, a, aStride, y, yStride, rows, width); break;
            case CombineKind.Equal: Combine<EqualOf>(a, aStride, b, bStride, y, yStride, rows, width); break;
            case CombineKind.And: Combine<MultiplyOf>(a, aStride, b, bStride, y, yStride, rows, width); break;
            case CombineKind.Or: Combine<MaxOf>(a, aStride, b, bStride, y, yStride, rows, width); break;
            case CombineKind.Xor: Combine<DiffersOf>(a, aStride, b, bStride, y, yStride, rows, width); break;
            default: throw new ArgumentOutOfRangeException(nameof(kind), kind, null);
        }
    }

    /// <inheritdoc/>
    [MethodImpl(Optimized)]
    public override void Select(
        float* condition, int conditionStride, float* a, int aStride, float* b, int bStride, float* y, int yStride, int rows, int width)
    {
        for (var row = 0; row < rows; row++)
        {
            for (var i = 0; i < width; i += TLanes.Count)
            {
                var isZero = TLanes.Equal(TLanes.Load(condition + i), TLanes.All(0));
                TLanes.Store(TLanes.Select(isZero, TLanes.Load(b + i), TLanes.Load(a + i)), y + i);
            }

            condition += conditionStride;
            a += aStride;
            b += bStride;
            y += yStride;
        }
    }

    /// <inheritdoc/>
    [MethodImpl(Optimized)]
    public override void Softmax(float* x, float* y, int stride, int rows, int groups, int width, bool isLog)
    {
        // What lies behind a group belongs to the next one, which may be computed in place: so it is not written.
        var numbers = stackalloc float[Step];
        for (var row = 0; row < rows; row++)
        {
            for (var group = 0; group < groups; group++)
            {
                var from = x + ((nint)row * stride) + (group * width);
                var to = y + ((nint)row * stride) + (group * width);
                var largest = from[0];

                // A NaN stays the largest.
                for (var i = 1; i < width; i++)
                    if (!(from[i] <= largest) && !float.IsNaN(largest)) largest = from[i];
                var all = TLanes.All(largest);
                var sum = 0f;
                for (var i = 0; i < width; i += TLanes.Count)
                {
                    var left = Math.Min(width - i, TLanes.Count);
                    Unsafe.CopyBlockUnaligned(numbers, from + i, (uint)left * sizeof(float));
                    var shifted = TLanes.Subtract(TLanes.Load(numbers), all);
                    var power = LaneMath<TLanes, T>.Exp(shifted);
                    TLanes.Store(isLog ? shifted : power, numbers);
                    Unsafe.CopyBlockUnaligned(to + i, numbers, (uint)left * sizeof(float));
                    TLanes.Store(power, numbers);
                    for (var lane = 0; lane < left; lane++) sum += numbers[lane];
                }

                var rest = isLog ? MathF.Log(sum) : 1 / sum;
                if (isLog)
                    for (var i = 0; i < width; i++) to[i] -= rest;
                else
                    for (var i = 0; i < width; i++) to[i] *= rest;
            }
        }
    }

    // One row: the weights are read once, and four sums hide the time that each addition takes. Sums go through memory to where they are
    // finished: a call there would keep them out of registers here.
    [MethodImpl(Optimized)]
    private static void MultiplyOne(in PackedProduct product, int start, int columns, float* x, float* y)
    {
        var sums = stackalloc float[4 * Step];
        var weights = product.Weights + ((nint)start * product.Inner);
        var inner = product.Inner;
        var column = 0;
        for (; column + (4 * TLanes.Count) <= columns; column += 4 * TLanes.Count)
        {
            T sum0 = default, sum1 = default, sum2 = default, sum3 = default;
            var w = weights + column;
            for (nint k = 0; k < inner; k++)
            {
                var number = TLanes.All(x[k]);
                sum0 = TLanes.MultiplyAdd(number, TLanes.Load(w), sum0);
                sum1 = TLanes.MultiplyAdd(number, TLanes.Load(w + TLanes.Count), sum1);
                sum2 = TLanes.MultiplyAdd(number, TLanes.Load(w + (2 * TLanes.Count)), sum2);
                sum3 = TLanes.MultiplyAdd(number, TLanes.Load(w + (3 * TLanes.Count)), sum3);
                w += columns;
            }

            TLanes.Store(sum0, sums);
            TLanes.Store(sum1, sums + TLanes.Count);
            TLanes.Store(sum2, sums + (2 * TLanes.Count));
            TLanes.Store(sum3, sums + (3 * TLanes.Count));
            Finish(product, sums, start + column, 4 * TLanes.Count, y);
        }

        for (; column + (2 * TLanes.Count) <= columns; column += 2 * TLanes.Count)
        {
            T sum0 = default, sum1 = default;
            var w = weights + column;
            for (nint k = 0; k < inner; k++)
            {
                var number = TLanes.All(x[k]);
                sum0 = TLanes.MultiplyAdd(number, TLanes.Load(w), sum0);
                sum1 = TLanes.MultiplyAdd(number, TLanes.Load(w + TLanes.Count), sum1);
                w += columns;
            }

            TLanes.Store(sum0, sums);
            TLanes.Store(sum1, sums + TLanes.Count);
            Finish(product, sums, start + column, 2 * TLanes.Count, y);
        }

        for (; column < columns; column += TLanes.Count)
        {
            T sum = default;
            var w = weights + column;
            for (nint k = 0; k < inner; k++)
            {
                sum = TLanes.MultiplyAdd(TLanes.All(x[k]), TLanes.Load(w), sum);
                w += columns;
            }

            TLanes.Store(sum, sums);
            Finish(product, sums, start + column, TLanes.Count, y);
        }
    }

    // Four rows: each weight that is read serves all of them.
    [MethodImpl(Optimized)]
    private static void MultiplyFour(in PackedProduct product, int start, int columns, float* x, int xStride, float* y, int yStride)
    {
        var sums = stackalloc float[8 * Step];
        var weights = product.Weights + ((nint)start * product.Inner);
        var inner = product.Inner;
        var x1 = x + xStride;
        var x2 = x1 + xStride;
        var x3 = x2 + xStride;
        var column = 0;
        for (; column + (2 * TLanes.Count) <= columns; column += 2 * TLanes.Count)
        {
            T a0 = default, b0 = default, a1 = default, b1 = default, a2 = default, b2 = default, a3 = default, b3 = default;
            var w = weights + column;
            for (nint k = 0; k < inner; k++)
            {
                var (left, right) = (TLanes.Load(w), TLanes.Load(w + TLanes.Count));
                var number = TLanes.All(x[k]);
                a0 = TLanes.MultiplyAdd(number, left, a0);
                b0 = TLanes.MultiplyAdd(number, right, b0);
                number = TLanes.All(x1[k]);
                a1 = TLanes.MultiplyAdd(number, left, a1);
                b1 = TLanes.MultiplyAdd(number, right, b1);
                number = TLanes.All(x2[k]);
                a2 = TLanes.MultiplyAdd(number, left, a2);
                b2 = TLanes.MultiplyAdd(number, right, b2);
                number = TLanes.All(x3[k]);
                a3 = TLanes.MultiplyAdd(number, left, a3);
                b3 = TLanes.MultiplyAdd(number, right, b3);
                w += columns;
            }

            TLanes.Store(a0, sums);
            TLanes.Store(b0, sums + TLanes.Count);
            TLanes.Store(a1, sums + (2 * TLanes.Count));
            TLanes.Store(b1, sums + (3 * TLanes.Count));
            TLanes.Store(a2, sums + (4 * TLanes.Count));
            TLanes.Store(b2, sums + (5 * TLanes.Count));
            TLanes.Store(a3, sums + (6 * TLanes.Count));
            TLanes.Store(b3, sums + (7 * TLanes.Count));
            for (nint row = 0; row < 4; row++)
                Finish(product, sums + (row * 2 * TLanes.Count), start + column, 2 * TLanes.Count, y + (row * yStride));
        }

        for (; column < columns; column += TLanes.Count)
        {
            T a0 = default, a1 = default, a2 = default, a3 = default;
            var w = weights + column;
            for (nint k = 0; k < inner; k++)
            {
                var left = TLanes.Load(w);
                a0 = TLanes.MultiplyAdd(TLanes.All(x[k]), left, a0);
                a1 = TLanes.MultiplyAdd(TLanes.All(x1[k]), left, a1);
                a2 = TLanes.MultiplyAdd(TLanes.All(x2[k]), left, a2);
                a3 = TLanes.MultiplyAdd(TLanes.All(x3[k]), left, a3);
                w += columns;
            }

            TLanes.Store(a0, sums);
            TLanes.Store(a1, sums + TLanes.Count);
            TLanes.Store(a2, sums + (2 * TLanes.Count));
            TLanes.Store(a3, sums + (3 * TLanes.Count));
            for (nint row = 0; row < 4; row++)
                Finish(product, sums + (row * TLanes.Count), start + column, TLanes.Count, y + (row * yStride));
        }
    }

    [MethodImpl(Optimized)]
    private static void Finish(in PackedProduct product, float* sums, int column, int count, float* y)
    {
        y += column;
        if (product.IsExact && column + count > product.Columns)
        {
            for (var i = 0; column + i < product.Columns; i++)
            {
                var sum = product.Bias is null ? sums[i] : sums[i] + product.Bias[column + i];
                y[i] = product.Adds ? y[i] + sum : sum;
            }

            return;
        }

        for (var i = 0; i < count; i += TLanes.Count)
        {
            var sum = TLanes.Load(sums + i);
            if (product.Bias is not null) sum = TLanes.Add(sum, TLanes.Load(product.Bias + column + i));
            TLanes.Store(product.Adds ? TLanes.Add(sum, TLanes.Load(y + i)) : sum, y + i);
        }
    }

    [MethodImpl(Optimized)]
    private static void Map<TMap>(float* x, float* y, int count, float a, float b)
        where TMap : IMap<T>
    {
        var (first, second) = (TLanes.All(a), TLanes.All(b));
        for (var i = 0; i < count; i += TLanes.Count) TLanes.Store(TMap.Of(TLanes.Load(x + i), first, second), y + i);
    }

    [MethodImpl(Optimized)]
    private static void Combine<TCombination>(
        float* a, int aStride, float* b, int bStride, float* y, int yStride, int rows, int width)
        where TCombination : ICombination<T>
    {
        for (var row = 0; row < rows; row++)
        {
            for (var i = 0; i < width; i += TLanes.Count)
                TLanes.Store(TCombination.Of(TLanes.Load(a + i), TLanes.Load(b + i)), y + i);
            a += aStride;
            b += bStride;
            y += yStride;
        }
    }

    private readonly struct AbsMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => TLanes.Abs(x);
    }

    private readonly struct NegateMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => LaneMath<TLanes, T>.Negative(x);
    }

    private readonly struct SqrtMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => TLanes.Sqrt(x);
    }

    private readonly struct ReciprocalMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => TLanes.Divide(TLanes.All(1), x);
    }

    private readonly struct ExpMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => LaneMath<TLanes, T>.Exp(x);
    }

    private readonly struct LogMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => LaneMath<TLanes, T>.Log(x);
    }

    private readonly struct FloorMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => TLanes.Floor(x);
    }

    private readonly struct CeilingMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => LaneMath<TLanes, T>.Negative(TLanes.Floor(LaneMath<TLanes, T>.Negative(x)));
    }

    private readonly struct RoundMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => TLanes.Round(x);
    }

    private readonly struct SquareMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => TLanes.Multiply(x, x);
    }

    private readonly struct TruncateMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => TLanes.Truncate(x);
    }

    private readonly struct IsNaNMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => TLanes.Select(TLanes.Equal(x, x), TLanes.All(0), TLanes.All(1));
    }

    private readonly struct NotMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => LaneMath<TLanes, T>.Bit(TLanes.Equal(x, TLanes.All(0)));
    }

    private readonly struct ReluMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => TLanes.Select(TLanes.Less(x, TLanes.All(0)), TLanes.All(0), x);
    }

    private readonly struct LeakyReluMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => TLanes.Select(TLanes.Less(x, TLanes.All(0)), TLanes.Multiply(a, x), x);
    }

    private readonly struct EluMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => TLanes.Select(
            TLanes.Less(x, TLanes.All(0)), TLanes.Multiply(a, TLanes.Subtract(LaneMath<TLanes, T>.Exp(x), TLanes.All(1))), x);
    }

    private readonly struct SeluMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => TLanes.Multiply(b, EluMap.Of(x, a, b));
    }

    private readonly struct SigmoidMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => LaneMath<TLanes, T>.Sigmoid(x);
    }

    private readonly struct SiluMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) =>
            TLanes.Divide(x, TLanes.Add(TLanes.All(1), LaneMath<TLanes, T>.Exp(LaneMath<TLanes, T>.Negative(x))));
    }

    private readonly struct TanhMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => LaneMath<TLanes, T>.Tanh(x);
    }

    private readonly struct SoftplusMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => LaneMath<TLanes, T>.Softplus(x);
    }

    private readonly struct SoftsignMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => TLanes.Divide(x, TLanes.Add(TLanes.All(1), TLanes.Abs(x)));
    }

    private readonly struct HardSigmoidMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => LaneMath<TLanes, T>.Clip(TLanes.Add(TLanes.Multiply(a, x), b), TLanes.All(0), TLanes.All(1));
    }

    private readonly struct HardSwishMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => TLanes.Multiply(x, HardSigmoidMap.Of(x, TLanes.All(1f / 6), TLanes.All(0.5f)));
    }

    private readonly struct ErfMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => LaneMath<TLanes, T>.Erf(x);
    }

    private readonly struct GeluMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b)
        {
            var erf = LaneMath<TLanes, T>.Erf(TLanes.Multiply(x, TLanes.All(0.707106781f)));
            return TLanes.Multiply(TLanes.Multiply(x, TLanes.All(0.5f)), TLanes.Add(TLanes.All(1), erf));
        }
    }

    private readonly struct GeluTanhMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b)
        {
            var cube = TLanes.Multiply(TLanes.Multiply(x, x), TLanes.Multiply(x, TLanes.All(0.044715f)));
            var tanh = LaneMath<TLanes, T>.Tanh(TLanes.Multiply(TLanes.Add(x, cube), TLanes.All(0.797884561f)));
            return TLanes.Multiply(TLanes.Multiply(x, TLanes.All(0.5f)), TLanes.Add(TLanes.All(1), tanh));
        }
    }

    private readonly struct ClipMap : IMap<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T x, T a, T b) => LaneMath<TLanes, T>.Clip(x, a, b);
    }

    private readonly struct AddOf : ICombination<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T a, T b) => TLanes.Add(a, b);
    }

    private readonly struct SubtractOf : ICombination<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T a, T b) => TLanes.Subtract(a, b);
    }

    private readonly struct MultiplyOf : ICombination<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T a, T b) => TLanes.Multiply(a, b);
    }

    private readonly struct DivideOf : ICombination<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T a, T b) => TLanes.Divide(a, b);
    }

    // A NaN on either side is the result.
    private readonly struct MinOf : ICombination<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T a, T b) => TLanes.Select(TLanes.Equal(b, b), TLanes.Select(TLanes.Less(b, a), b, a), b);
    }

    private readonly struct MaxOf : ICombination<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T a, T b) => TLanes.Select(TLanes.Equal(b, b), TLanes.Select(TLanes.Less(a, b), b, a), b);
    }

    private readonly struct LessOf : ICombination<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T a, T b) => LaneMath<TLanes, T>.Bit(TLanes.Less(a, b));
    }

    private readonly struct LessOrEqualOf : ICombination<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T a, T b) => TLanes.Select(
            TLanes.Equal(a, b), TLanes.All(1), LaneMath<TLanes, T>.Bit(TLanes.Less(a, b)));
    }

    private readonly struct EqualOf : ICombination<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T a, T b) => LaneMath<TLanes, T>.Bit(TLanes.Equal(a, b));
    }

    private readonly struct DiffersOf : ICombination<T>
    {
        [MethodImpl(Inlined)]
        public static T Of(T a, T b) => TLanes.Subtract(TLanes.All(1), EqualOf.Of(a, b));
    }
}
