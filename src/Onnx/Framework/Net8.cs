using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace MlNetBatchNorm.Onnx.Framework;

/// <summary>
/// What .NET 8 lacks of what our code takes from .NET, by the same names and with the same numbers; only the assemblies for net8.0 have
/// it.
/// </summary>
internal static class Net8
{
    extension(float)
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static float MultiplyAddEstimate(float a, float b, float c) =>
            Fma.IsSupported || AdvSimd.IsSupported ? MathF.FusedMultiplyAdd(a, b, c) : (a * b) + c;
    }

    extension(Convert)
    {
        public static string ToHexStringLower(byte[] bytes) => Convert.ToHexString(bytes).ToLowerInvariant();
    }

    extension(Vector128)
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<float> MultiplyAddEstimate(Vector128<float> a, Vector128<float> b, Vector128<float> c) =>
            Fma.IsSupported ? Fma.MultiplyAdd(a, b, c) : AdvSimd.IsSupported ? AdvSimd.FusedMultiplyAdd(c, a, b) : (a * b) + c;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<float> Round(Vector128<float> a) =>
            Sse41.IsSupported ? Sse41.RoundToNearestInteger(a) : AdvSimd.IsSupported ? AdvSimd.RoundToNearest(a) : Each(a, MathF.Round);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<float> Truncate(Vector128<float> a) =>
            Sse41.IsSupported ? Sse41.RoundToZero(a) : AdvSimd.IsSupported ? AdvSimd.RoundToZero(a) : Each(a, MathF.Truncate);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<int> ConvertToInt32Native(Vector128<float> a) => Vector128.ConvertToInt32(a);
    }

    extension(Vector256)
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> MultiplyAddEstimate(Vector256<float> a, Vector256<float> b, Vector256<float> c) =>
            Fma.IsSupported ? Fma.MultiplyAdd(a, b, c) : (a * b) + c;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Round(Vector256<float> a) =>
            Avx.IsSupported ? Avx.RoundToNearestInteger(a) : Vector256.Create(Vector128.Round(a.GetLower()), Vector128.Round(a.GetUpper()));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Truncate(Vector256<float> a) =>
            Avx.IsSupported ? Avx.RoundToZero(a) : Vector256.Create(Vector128.Truncate(a.GetLower()), Vector128.Truncate(a.GetUpper()));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<int> ConvertToInt32Native(Vector256<float> a) => Vector256.ConvertToInt32(a);
    }

    extension(Vector512)
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> MultiplyAddEstimate(Vector512<float> a, Vector512<float> b, Vector512<float> c) =>
            Avx512F.IsSupported ? Avx512F.FusedMultiplyAdd(a, b, c) : (a * b) + c;

        // The two bits at the end of a control byte: 00 = to the nearest, 11 = towards zero.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Round(Vector512<float> a) =>
            Avx512F.IsSupported ? Avx512F.RoundScale(a, 0b1000)
            : Vector512.Create(Vector256.Round(a.GetLower()), Vector256.Round(a.GetUpper()));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Truncate(Vector512<float> a) =>
            Avx512F.IsSupported ? Avx512F.RoundScale(a, 0b1011)
            : Vector512.Create(Vector256.Truncate(a.GetLower()), Vector256.Truncate(a.GetUpper()));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<int> ConvertToInt32Native(Vector512<float> a) => Vector512.ConvertToInt32(a);
    }

    /// <summary>The elements, each with its index.</summary>
    public static IEnumerable<(int Index, T Item)> Index<T>(this IEnumerable<T> source) => source.Select((item, index) => (index, item));

    private static Vector128<float> Each(Vector128<float> a, Func<float, float> function) =>
        Vector128.Create(function(a[0]), function(a[1]), function(a[2]), function(a[3]));
}
