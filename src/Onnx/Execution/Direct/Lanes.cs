using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MlNetBatchNorm.Onnx.Execution.Direct;

/// <summary>
/// What kernels need of a vector type, so that they are written once for all widths. Comparisons give masks; whatever they say of NaN is
/// no.
/// </summary>
/// <typeparam name="T">The vector type.</typeparam>
internal unsafe interface ILanes<T>
    where T : struct
{
    /// <summary>The numbers in a vector; 16 is a multiple of it.</summary>
    static abstract int Count { get; }

    /// <summary>A number in each lane.</summary>
    static abstract T All(float value);

    static abstract T Load(float* from);

    static abstract void Store(T value, float* to);

    static abstract T Add(T a, T b);

    static abstract T Subtract(T a, T b);

    static abstract T Multiply(T a, T b);

    static abstract T Divide(T a, T b);

    /// <summary>a·b + c, rounded once where the processor can.</summary>
    static abstract T MultiplyAdd(T a, T b, T c);

    static abstract T Abs(T a);

    static abstract T Sqrt(T a);

    static abstract T Floor(T a);

    static abstract T Round(T a);

    static abstract T Truncate(T a);

    static abstract T Less(T a, T b);

    static abstract T Equal(T a, T b);

    /// <summary>Lanes of <paramref name="a"/> where the mask says so, else of <paramref name="b"/>.</summary>
    static abstract T Select(T mask, T a, T b);

    /// <summary>2 to the power of a whole number from −126 to 127.</summary>
    static abstract T PowerOfTwo(T exponent);

    /// <summary>A positive normal number as m·2^e with m from 1 to below 2.</summary>
    static abstract (T Mantissa, T Exponent) Split(T a);

    /// <summary>The sum of the lanes.</summary>
    static abstract float Sum(T a);

    /// <summary>How many lanes are at most as large as a number.</summary>
    static abstract int CountAtMost(T a, float limit);
}

/// <summary>16 lanes: AVX-512.</summary>
internal readonly struct Lanes512 : ILanes<Vector512<float>>
{
    public static int Count => Vector512<float>.Count;

    public static Vector512<float> All(float value) => Vector512.Create(value);

    public static unsafe Vector512<float> Load(float* from) => Vector512.Load(from);

    public static unsafe void Store(Vector512<float> value, float* to) => value.Store(to);

    public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => a + b;

    public static Vector512<float> Subtract(Vector512<float> a, Vector512<float> b) => a - b;

    public static Vector512<float> Multiply(Vector512<float> a, Vector512<float> b) => a * b;

    public static Vector512<float> Divide(Vector512<float> a, Vector512<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) =>
        Vector512.MultiplyAddEstimate(a, b, c);

    public static Vector512<float> Abs(Vector512<float> a) => Vector512.Abs(a);

    public static Vector512<float> Sqrt(Vector512<float> a) => Vector512.Sqrt(a);

    public static Vector512<float> Floor(Vector512<float> a) => Vector512.Floor(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Round(Vector512<float> a) => Vector512.Round(a);

    public static Vector512<float> Truncate(Vector512<float> a) => Vector512.Truncate(a);

    public static Vector512<float> Less(Vector512<float> a, Vector512<float> b) => Vector512.LessThan(a, b);

    public static Vector512<float> Equal(Vector512<float> a, Vector512<float> b) => Vector512.Equals(a, b);

    public static Vector512<float> Select(Vector512<float> mask, Vector512<float> a, Vector512<float> b) =>
        Vector512.ConditionalSelect(mask, a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> PowerOfTwo(Vector512<float> exponent) =>
        ((Vector512.ConvertToInt32Native(exponent) + Vector512.Create(127)) << 23).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector512<float> Mantissa, Vector512<float> Exponent) Split(Vector512<float> a)
    {
        var bits = a.AsInt32();
        return (
            ((bits & Vector512.Create(0x007FFFFF)) | Vector512.Create(0x3F800000)).AsSingle(),
            Vector512.ConvertToSingle((bits >> 23) - Vector512.Create(127)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> a) => Vector512.Sum(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int CountAtMost(Vector512<float> a, float limit) =>
        BitOperations.PopCount(Vector512.LessThanOrEqual(a, Vector512.Create(limit)).ExtractMostSignificantBits());
}

/// <summary>8 lanes: AVX2.</summary>
internal readonly struct Lanes256 : ILanes<Vector256<float>>
{
    public static int Count => Vector256<float>.Count;

    public static Vector256<float> All(float value) => Vector256.Create(value);

    public static unsafe Vector256<float> Load(float* from) => Vector256.Load(from);

    public static unsafe void Store(Vector256<float> value, float* to) => value.Store(to);

    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;

    public static Vector256<float> Subtract(Vector256<float> a, Vector256<float> b) => a - b;

    public static Vector256<float> Multiply(Vector256<float> a, Vector256<float> b) => a * b;

    public static Vector256<float> Divide(Vector256<float> a, Vector256<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) =>
        Vector256.MultiplyAddEstimate(a, b, c);

    public static Vector256<float> Abs(Vector256<float> a) => Vector256.Abs(a);

    public static Vector256<float> Sqrt(Vector256<float> a) => Vector256.Sqrt(a);

    public static Vector256<float> Floor(Vector256<float> a) => Vector256.Floor(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Round(Vector256<float> a) => Vector256.Round(a);

    public static Vector256<float> Truncate(Vector256<float> a) => Vector256.Truncate(a);

    public static Vector256<float> Less(Vector256<float> a, Vector256<float> b) => Vector256.LessThan(a, b);

    public static Vector256<float> Equal(Vector256<float> a, Vector256<float> b) => Vector256.Equals(a, b);

    public static Vector256<float> Select(Vector256<float> mask, Vector256<float> a, Vector256<float> b) =>
        Vector256.ConditionalSelect(mask, a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> PowerOfTwo(Vector256<float> exponent) =>
        ((Vector256.ConvertToInt32Native(exponent) + Vector256.Create(127)) << 23).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector256<float> Mantissa, Vector256<float> Exponent) Split(Vector256<float> a)
    {
        var bits = a.AsInt32();
        return (
            ((bits & Vector256.Create(0x007FFFFF)) | Vector256.Create(0x3F800000)).AsSingle(),
            Vector256.ConvertToSingle((bits >> 23) - Vector256.Create(127)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> a) => Vector256.Sum(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int CountAtMost(Vector256<float> a, float limit) =>
        BitOperations.PopCount(Vector256.LessThanOrEqual(a, Vector256.Create(limit)).ExtractMostSignificantBits());
}

/// <summary>4 lanes: SSE and ARM64's AdvSIMD; where there are not even those, .NET computes them one by one.</summary>
internal readonly struct Lanes128 : ILanes<Vector128<float>>
{
    public static int Count => Vector128<float>.Count;

    public static Vector128<float> All(float value) => Vector128.Create(value);

    public static unsafe Vector128<float> Load(float* from) => Vector128.Load(from);

    public static unsafe void Store(Vector128<float> value, float* to) => value.Store(to);

    public static Vector128<float> Add(Vector128<float> a, Vector128<float> b) => a + b;

    public static Vector128<float> Subtract(Vector128<float> a, Vector128<float> b) => a - b;

    public static Vector128<float> Multiply(Vector128<float> a, Vector128<float> b) => a * b;

    public static Vector128<float> Divide(Vector128<float> a, Vector128<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> MultiplyAdd(Vector128<float> a, Vector128<float> b, Vector128<float> c) =>
        Vector128.MultiplyAddEstimate(a, b, c);

    public static Vector128<float> Abs(Vector128<float> a) => Vector128.Abs(a);

    public static Vector128<float> Sqrt(Vector128<float> a) => Vector128.Sqrt(a);

    public static Vector128<float> Floor(Vector128<float> a) => Vector128.Floor(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Round(Vector128<float> a) => Vector128.Round(a);

    public static Vector128<float> Truncate(Vector128<float> a) => Vector128.Truncate(a);

    public static Vector128<float> Less(Vector128<float> a, Vector128<float> b) => Vector128.LessThan(a, b);

    public static Vector128<float> Equal(Vector128<float> a, Vector128<float> b) => Vector128.Equals(a, b);

    public static Vector128<float> Select(Vector128<float> mask, Vector128<float> a, Vector128<float> b) =>
        Vector128.ConditionalSelect(mask, a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> PowerOfTwo(Vector128<float> exponent) =>
        ((Vector128.ConvertToInt32Native(exponent) + Vector128.Create(127)) << 23).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> Mantissa, Vector128<float> Exponent) Split(Vector128<float> a)
    {
        var bits = a.AsInt32();
        return (
            ((bits & Vector128.Create(0x007FFFFF)) | Vector128.Create(0x3F800000)).AsSingle(),
            Vector128.ConvertToSingle((bits >> 23) - Vector128.Create(127)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector128<float> a) => Vector128.Sum(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int CountAtMost(Vector128<float> a, float limit) =>
        BitOperations.PopCount(Vector128.LessThanOrEqual(a, Vector128.Create(limit)).ExtractMostSignificantBits());
}

/// <summary>One lane: what is left over at the end of a row of any length. A mask has all bits set, or none.</summary>
internal readonly struct Lanes1 : ILanes<float>
{
    public static int Count => 1;

    public static float All(float value) => value;

    public static unsafe float Load(float* from) => *from;

    public static unsafe void Store(float value, float* to) => *to = value;

    public static float Add(float a, float b) => a + b;

    public static float Subtract(float a, float b) => a - b;

    public static float Multiply(float a, float b) => a * b;

    public static float Divide(float a, float b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MultiplyAdd(float a, float b, float c) => float.MultiplyAddEstimate(a, b, c);

    public static float Abs(float a) => MathF.Abs(a);

    public static float Sqrt(float a) => MathF.Sqrt(a);

    public static float Floor(float a) => MathF.Floor(a);

    public static float Round(float a) => MathF.Round(a);

    public static float Truncate(float a) => MathF.Truncate(a);

    public static float Less(float a, float b) => Mask(a < b);

    public static float Equal(float a, float b) => Mask(a == b);

    public static float Select(float mask, float a, float b) => BitConverter.SingleToInt32Bits(mask) != 0 ? a : b;

    public static float PowerOfTwo(float exponent) => BitConverter.Int32BitsToSingle(((int)exponent + 127) << 23);

    public static (float Mantissa, float Exponent) Split(float a)
    {
        var bits = BitConverter.SingleToInt32Bits(a);
        return (BitConverter.Int32BitsToSingle((bits & 0x007FFFFF) | 0x3F800000), (bits >> 23) - 127);
    }

    public static float Sum(float a) => a;

    public static int CountAtMost(float a, float limit) => a <= limit ? 1 : 0;

    private static float Mask(bool isTrue) => BitConverter.Int32BitsToSingle(isTrue ? -1 : 0);
}
