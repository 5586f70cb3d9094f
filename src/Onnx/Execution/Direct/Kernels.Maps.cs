using System.Runtime.CompilerServices;

namespace MlNetBatchNorm.Onnx.Execution.Direct;

/// <content>Functions of one number and of two, and of the numbers of a group.</content>
internal sealed unsafe partial class Kernels<TLanes, T>
{
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
