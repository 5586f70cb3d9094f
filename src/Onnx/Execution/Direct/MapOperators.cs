using System.Runtime.CompilerServices;

namespace MlNetBatchNorm.Onnx.Execution.Direct;

/// <summary>Functions of one number with at most two constants, a and b.</summary>
internal enum MapKind
{
    Abs, Negate, Sqrt, Reciprocal, Exp, Log, Floor, Ceiling, Round, Square, Truncate, IsNaN, Not,
    Relu, LeakyRelu, Elu, Selu, Sigmoid, Silu, Tanh, Softplus, Softsign, HardSigmoid, HardSwish, Erf, Gelu, GeluTanh, Clip,
}

/// <summary>Functions of two numbers.</summary>
internal enum CombineKind
{
    Add, Subtract, Multiply, Divide, Min, Max, Less, LessOrEqual, Greater, GreaterOrEqual, Equal, And, Or, Xor,
}

/// <summary>A function of one number, for vectors of a width.</summary>
/// <typeparam name="T">The vector type.</typeparam>
internal interface IMap<T>
{
    static abstract T Of(T x, T a, T b);
}

/// <summary>A function of two numbers, for vectors of a width.</summary>
/// <typeparam name="T">The vector type.</typeparam>
internal interface ICombination<T>
{
    static abstract T Of(T a, T b);
}

/// <summary>
/// Exponentials and what is made of them, to about one unit in the last place. The polynomials interpolate the functions at Chebyshev's
/// points.
/// </summary>
internal static class LaneMath<TLanes, T>
    where TLanes : ILanes<T>
    where T : struct
{
    private const MethodImplOptions Inlined = MethodImplOptions.AggressiveInlining;
    private const float Log2E = 1.44269504f;

    // ln 2 as the sum of a number with zeros behind and of what is left.
    private const float Ln2High = 0.693359375f;
    private const float Ln2Low = -2.12194440e-4f;

    // Beyond, the result is infinite, or 0.
    private const float LargestExponent = 89;
    private const float SmallestExponent = -104;

    /// <summary>e^x = 2^n · e^r with |r| at most ln 2 / 2.</summary>
    [MethodImpl(Inlined)]
    public static T Exp(T x)
    {
        x = TLanes.Select(TLanes.Less(x, TLanes.All(SmallestExponent)), TLanes.All(SmallestExponent), x);
        x = TLanes.Select(TLanes.Less(TLanes.All(LargestExponent), x), TLanes.All(LargestExponent), x);
        var n = TLanes.Round(TLanes.Multiply(x, TLanes.All(Log2E)));
        var r = TLanes.MultiplyAdd(n, TLanes.All(-Ln2High), x);
        r = TLanes.MultiplyAdd(n, TLanes.All(-Ln2Low), r);
        var p = TLanes.MultiplyAdd(TLanes.All(0.00139262508f), r, TLanes.All(0.00836323288f));
        p = TLanes.MultiplyAdd(p, r, TLanes.All(0.0416665542f));
        p = TLanes.MultiplyAdd(p, r, TLanes.All(0.166665767f));
        p = TLanes.MultiplyAdd(p, r, TLanes.All(0.5f));
        p = TLanes.Add(TLanes.MultiplyAdd(p, TLanes.Multiply(r, r), r), TLanes.All(1));

        // In two steps, since 2^n may be no normal number.
        var half = TLanes.Floor(TLanes.Multiply(n, TLanes.All(0.5f)));
        return TLanes.Multiply(TLanes.Multiply(p, TLanes.PowerOfTwo(half)), TLanes.PowerOfTwo(TLanes.Subtract(n, half)));
    }

    /// <summary>ln(m·2^e) = e·ln 2 + ln m, with m from √½ to √2.</summary>
    [MethodImpl(Inlined)]
    public static T Log(T x)
    {
        const float least = 1.17549435e-38f;
        var isSmall = TLanes.Less(x, TLanes.All(least));
        var (m, e) = TLanes.Split(TLanes.Select(isSmall, TLanes.Multiply(x, TLanes.All(8388608)), x));
        e = TLanes.Select(isSmall, TLanes.Subtract(e, TLanes.All(23)), e);
        var isLarge = TLanes.Less(TLanes.All(1.41421356f), m);
        m = TLanes.Select(isLarge, TLanes.Multiply(m, TLanes.All(0.5f)), m);
        e = TLanes.Select(isLarge, TLanes.Add(e, TLanes.All(1)), e);
        var f = TLanes.Subtract(m, TLanes.All(1));
        var q = TLanes.MultiplyAdd(TLanes.All(0.0697161147f), f, TLanes.All(-0.114797338f));
        q = TLanes.MultiplyAdd(q, f, TLanes.All(0.116854199f));
        q = TLanes.MultiplyAdd(q, f, TLanes.All(-0.124256873f));
        q = TLanes.MultiplyAdd(q, f, TLanes.All(0.142490576f));
        q = TLanes.MultiplyAdd(q, f, TLanes.All(-0.166678023f));
        q = TLanes.MultiplyAdd(q, f, TLanes.All(0.200007157f));
        q = TLanes.MultiplyAdd(q, f, TLanes.All(-0.24999997f));
        q = TLanes.MultiplyAdd(q, f, TLanes.All(0.333333312f));
        var square = TLanes.Multiply(f, f);
        var tail = TLanes.MultiplyAdd(e, TLanes.All(Ln2Low), TLanes.Multiply(TLanes.Multiply(q, f), square));
        tail = TLanes.MultiplyAdd(square, TLanes.All(-0.5f), tail);
        var result = TLanes.MultiplyAdd(e, TLanes.All(Ln2High), TLanes.Add(f, tail));
        result = TLanes.Select(TLanes.Equal(x, TLanes.All(float.PositiveInfinity)), x, result);
        result = TLanes.Select(TLanes.Equal(x, TLanes.All(0)), TLanes.All(float.NegativeInfinity), result);
        var isNumber = TLanes.Less(TLanes.All(-float.Epsilon), x);
        return TLanes.Select(isNumber, result, TLanes.All(float.NaN));
    }

    [MethodImpl(Inlined)]
    public static T Sigmoid(T x) => TLanes.Divide(TLanes.All(1), TLanes.Add(TLanes.All(1), Exp(Negative(x))));

    [MethodImpl(Inlined)]
    public static T Tanh(T x)
    {
        var square = TLanes.Multiply(x, x);
        var q = TLanes.MultiplyAdd(TLanes.All(-0.00609670822f), square, TLanes.All(0.0209971737f));
        q = TLanes.MultiplyAdd(q, square, TLanes.All(-0.053850908f));
        q = TLanes.MultiplyAdd(q, square, TLanes.All(0.133327697f));
        q = TLanes.MultiplyAdd(q, square, TLanes.All(-0.333333289f));
        var near = TLanes.MultiplyAdd(TLanes.Multiply(q, square), x, x);
        var e = Exp(TLanes.Add(x, x));
        var far = TLanes.Subtract(TLanes.All(1), TLanes.Divide(TLanes.All(2), TLanes.Add(e, TLanes.All(1))));
        return TLanes.Select(TLanes.Less(TLanes.Abs(x), TLanes.All(0.625f)), near, far);
    }

    /// <summary>x·q(x²) near 0, and ±(1 − e^−p(|x|)) beyond 1.</summary>
    [MethodImpl(Inlined)]
    public static T Erf(T x)
    {
        var square = TLanes.Multiply(x, x);
        var near = TLanes.MultiplyAdd(TLanes.All(7.87587506e-05f), square, TLanes.All(-0.000801686429f));
        near = TLanes.MultiplyAdd(near, square, TLanes.All(0.00518908742f));
        near = TLanes.MultiplyAdd(near, square, TLanes.All(-0.026854212f));
        near = TLanes.MultiplyAdd(near, square, TLanes.All(0.112835947f));
        near = TLanes.MultiplyAdd(near, square, TLanes.All(-0.376126267f));
        near = TLanes.Multiply(TLanes.MultiplyAdd(near, square, TLanes.All(1.12837917f)), x);
        var size = TLanes.Abs(x);
        var t = TLanes.Select(TLanes.Less(TLanes.All(4), size), TLanes.All(4), size);
        var p = TLanes.MultiplyAdd(TLanes.All(-1.63715141e-06f), t, TLanes.All(4.60580427e-05f));
        p = TLanes.MultiplyAdd(p, t, TLanes.All(-0.000596805626f));
        p = TLanes.MultiplyAdd(p, t, TLanes.All(0.00475959629f));
        p = TLanes.MultiplyAdd(p, t, TLanes.All(-0.026421136f));
        p = TLanes.MultiplyAdd(p, t, TLanes.All(0.110080083f));
        p = TLanes.MultiplyAdd(p, t, TLanes.All(0.631826052f));
        p = TLanes.MultiplyAdd(p, t, TLanes.All(1.13023343f));
        p = TLanes.MultiplyAdd(p, t, TLanes.All(-0.00032013805f));
        var far = TLanes.Subtract(TLanes.All(1), Exp(Negative(p)));
        far = TLanes.Select(TLanes.Less(x, TLanes.All(0)), Negative(far), far);
        return TLanes.Select(TLanes.Less(size, TLanes.All(1)), near, far);
    }

    /// <summary>ln(1 + e^x) = max(x, 0) + ln(1 + e^−|x|).</summary>
    [MethodImpl(Inlined)]
    public static T Softplus(T x)
    {
        var positive = TLanes.Select(TLanes.Less(x, TLanes.All(0)), TLanes.All(0), x);
        return TLanes.Add(positive, Log(TLanes.Add(TLanes.All(1), Exp(Negative(TLanes.Abs(x))))));
    }

    [MethodImpl(Inlined)]
    public static T Negative(T x) => TLanes.Multiply(x, TLanes.All(-1));

    /// <summary>NaN stays what it is.</summary>
    [MethodImpl(Inlined)]
    public static T Clip(T x, T least, T most)
    {
        x = TLanes.Select(TLanes.Less(x, least), least, x);
        return TLanes.Select(TLanes.Less(most, x), most, x);
    }

    /// <summary>1 where a mask says so, else 0.</summary>
    [MethodImpl(Inlined)]
    public static T Bit(T mask) => TLanes.Select(mask, TLanes.All(1), TLanes.All(0));
}
