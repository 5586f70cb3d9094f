using System.Runtime.CompilerServices;

namespace MlNetBatchNorm.Onnx.Execution.Direct;

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
internal sealed unsafe partial class Kernels<TLanes, T> : Kernels
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
}
