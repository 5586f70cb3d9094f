using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// The loops over float64 that every weight of a model passes through, compiled for good at their first call. Those of
/// <c>System.Numerics.Tensors</c> are as fast once they are hot, but a tool that folds a model of a hundred megabytes is done before the
/// runtime notices: with them it took nearly twice as long.
/// </summary>
internal static class RealKernels
{
    private const MethodImplOptions AtOnce = MethodImplOptions.AggressiveOptimization;

    /// <summary>float32 as float64.</summary>
    [MethodImpl(AtOnce)]
    public static void Widen(ReadOnlySpan<float> values, Span<double> into)
    {
        ref var from = ref MemoryMarshal.GetReference(values);
        ref var to = ref MemoryMarshal.GetReference(into[..values.Length]);
        var i = 0;
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector.Widen(Vector.LoadUnsafe(ref from, (nuint)i), out var low, out var high);
            low.StoreUnsafe(ref to, (nuint)i);
            high.StoreUnsafe(ref to, (nuint)(i + Vector<double>.Count));
        }

        for (; i < values.Length; i++) into[i] = values[i];
    }

    /// <summary>float64 rounded to float32.</summary>
    [MethodImpl(AtOnce)]
    public static void Narrow(ReadOnlySpan<double> values, Span<float> into)
    {
        ref var from = ref MemoryMarshal.GetReference(values);
        ref var to = ref MemoryMarshal.GetReference(into[..values.Length]);
        var i = 0;
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            var (low, high) = (Vector.LoadUnsafe(ref from, (nuint)i), Vector.LoadUnsafe(ref from, (nuint)(i + Vector<double>.Count)));
            Vector.Narrow(low, high).StoreUnsafe(ref to, (nuint)i);
        }

        for (; i < values.Length; i++) into[i] = (float)values[i];
    }

    /// <summary>values[i] ·= factors[i].</summary>
    [MethodImpl(AtOnce)]
    public static void Multiply(Span<double> values, ReadOnlySpan<double> factors)
    {
        ref var first = ref MemoryMarshal.GetReference(values);
        ref var second = ref MemoryMarshal.GetReference(factors[..values.Length]);
        var i = 0;
        for (; i <= values.Length - Vector<double>.Count; i += Vector<double>.Count)
            (Vector.LoadUnsafe(ref first, (nuint)i) * Vector.LoadUnsafe(ref second, (nuint)i)).StoreUnsafe(ref first, (nuint)i);
        for (; i < values.Length; i++) values[i] *= factors[i];
    }

    /// <summary>values[i] ·= factor.</summary>
    [MethodImpl(AtOnce)]
    public static void Multiply(Span<double> values, double factor)
    {
        ref var first = ref MemoryMarshal.GetReference(values);
        var i = 0;
        for (; i <= values.Length - Vector<double>.Count; i += Vector<double>.Count)
            (Vector.LoadUnsafe(ref first, (nuint)i) * factor).StoreUnsafe(ref first, (nuint)i);
        for (; i < values.Length; i++) values[i] *= factor;
    }

    /// <summary>sums[i] += factor·values[i].</summary>
    [MethodImpl(AtOnce)]
    public static void AddMultiple(ReadOnlySpan<double> values, double factor, Span<double> sums)
    {
        ref var from = ref MemoryMarshal.GetReference(values);
        ref var to = ref MemoryMarshal.GetReference(sums[..values.Length]);
        var i = 0;
        for (; i <= values.Length - Vector<double>.Count; i += Vector<double>.Count)
            (Vector.LoadUnsafe(ref to, (nuint)i) + (Vector.LoadUnsafe(ref from, (nuint)i) * factor)).StoreUnsafe(ref to, (nuint)i);
        for (; i < values.Length; i++) sums[i] += factor * values[i];
    }

    /// <summary>sums[i] += values[i]².</summary>
    [MethodImpl(AtOnce)]
    public static void AddSquares(ReadOnlySpan<double> values, Span<double> sums)
    {
        ref var from = ref MemoryMarshal.GetReference(values);
        ref var to = ref MemoryMarshal.GetReference(sums[..values.Length]);
        var i = 0;
        for (; i <= values.Length - Vector<double>.Count; i += Vector<double>.Count)
        {
            var each = Vector.LoadUnsafe(ref from, (nuint)i);
            (Vector.LoadUnsafe(ref to, (nuint)i) + (each * each)).StoreUnsafe(ref to, (nuint)i);
        }

        for (; i < values.Length; i++) sums[i] += values[i] * values[i];
    }

    /// <summary>Σ left[i]·right[i].</summary>
    [MethodImpl(AtOnce)]
    public static double Dot(ReadOnlySpan<double> left, ReadOnlySpan<double> right)
    {
        ref var first = ref MemoryMarshal.GetReference(left);
        ref var second = ref MemoryMarshal.GetReference(right[..left.Length]);
        // Four sums: one alone would wait for each addition.
        var (a, b, c, d) = (Vector<double>.Zero, Vector<double>.Zero, Vector<double>.Zero, Vector<double>.Zero);
        var i = 0;
        for (; i <= left.Length - (4 * Vector<double>.Count); i += 4 * Vector<double>.Count)
        {
            a += Product(ref first, ref second, i);
            b += Product(ref first, ref second, i + Vector<double>.Count);
            c += Product(ref first, ref second, i + (2 * Vector<double>.Count));
            d += Product(ref first, ref second, i + (3 * Vector<double>.Count));
        }

        var sum = Vector.Sum(a + b + c + d);
        for (; i < left.Length; i++) sum += left[i] * right[i];
        return sum;
    }

    /// <summary>The largest magnitude; NaN where any element is no number.</summary>
    [MethodImpl(AtOnce)]
    public static double LargestMagnitude(ReadOnlySpan<double> values)
    {
        ref var from = ref MemoryMarshal.GetReference(values);
        var (most, numbers) = (Vector<double>.Zero, Vector<long>.AllBitsSet);
        var i = 0;
        for (; i <= values.Length - Vector<double>.Count; i += Vector<double>.Count)
        {
            var each = Vector.LoadUnsafe(ref from, (nuint)i);
            numbers &= Vector.Equals(each, each);
            most = Vector.Max(most, Vector.Abs(each));
        }

        if (numbers != Vector<long>.AllBitsSet) return double.NaN;
        var largest = 0.0;
        for (var lane = 0; lane < Vector<double>.Count; lane++) largest = Math.Max(largest, most[lane]);
        for (; i < values.Length; i++) largest = Math.Max(largest, Math.Abs(values[i]));
        return largest;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<double> Product(ref double left, ref double right, int i) =>
        Vector.LoadUnsafe(ref left, (nuint)i) * Vector.LoadUnsafe(ref right, (nuint)i);
}
