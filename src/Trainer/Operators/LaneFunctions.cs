using System.Runtime.CompilerServices;
using MlNetBatchNorm.Onnx.Execution.Direct;

namespace MlNetBatchNorm.Trainer.Operators;

/// <summary>The activations that kernels of our own can apply on the way, and their numbers in attributes of nodes.</summary>
internal enum LaneFunction
{
    /// <summary>None.</summary>
    Identity = 0,

    /// <summary>max(0, z).</summary>
    Relu = 1,

    /// <summary>z where positive, slope·z elsewhere.</summary>
    LeakyRelu = 2,

    /// <summary>1 / (1 + e^−z).</summary>
    Sigmoid = 3,

    /// <summary>The hyperbolic tangent.</summary>
    Tanh = 4,

    /// <summary>z·σ(z).</summary>
    Silu = 5,

    /// <summary>z·Φ(z).</summary>
    Gelu = 6,
}

/// <summary>An activation y = f(z) of vectors of any width, and the way back through it.</summary>
internal interface ILaneFunction
{
    /// <summary>Whether the way back needs z, rather than y.</summary>
    static abstract bool NeedsInput { get; }

    /// <summary>f(z).</summary>
    static abstract T Of<TLanes, T>(T z, T slope)
        where TLanes : ILanes<T>
        where T : struct;

    /// <summary>f′(z)·dy, given z or y, whichever is needed.</summary>
    static abstract T Back<TLanes, T>(T dy, T given, T slope)
        where TLanes : ILanes<T>
        where T : struct;
}

internal readonly struct IdentityLanes : ILaneFunction
{
    public static bool NeedsInput => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Of<TLanes, T>(T z, T slope)
        where TLanes : ILanes<T>
        where T : struct => z;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Back<TLanes, T>(T dy, T given, T slope)
        where TLanes : ILanes<T>
        where T : struct => dy;
}

internal readonly struct ReluLanes : ILaneFunction
{
    public static bool NeedsInput => true;

    // A NaN stays one.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Of<TLanes, T>(T z, T slope)
        where TLanes : ILanes<T>
        where T : struct => TLanes.Select(TLanes.Less(z, TLanes.All(0)), TLanes.All(0), z);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Back<TLanes, T>(T dy, T given, T slope)
        where TLanes : ILanes<T>
        where T : struct => TLanes.Select(TLanes.Less(TLanes.All(0), given), dy, TLanes.All(0));
}

internal readonly struct LeakyReluLanes : ILaneFunction
{
    public static bool NeedsInput => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Of<TLanes, T>(T z, T slope)
        where TLanes : ILanes<T>
        where T : struct => TLanes.Select(TLanes.Less(z, TLanes.All(0)), TLanes.Multiply(z, slope), z);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Back<TLanes, T>(T dy, T given, T slope)
        where TLanes : ILanes<T>
        where T : struct => TLanes.Select(TLanes.Less(TLanes.All(0), given), dy, TLanes.Multiply(dy, slope));
}

internal readonly struct SigmoidLanes : ILaneFunction
{
    public static bool NeedsInput => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Of<TLanes, T>(T z, T slope)
        where TLanes : ILanes<T>
        where T : struct => LaneMath<TLanes, T>.Sigmoid(z);

    // f′ = y − y²
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Back<TLanes, T>(T dy, T given, T slope)
        where TLanes : ILanes<T>
        where T : struct => TLanes.Multiply(dy, TLanes.Subtract(given, TLanes.Multiply(given, given)));
}

internal readonly struct TanhLanes : ILaneFunction
{
    public static bool NeedsInput => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Of<TLanes, T>(T z, T slope)
        where TLanes : ILanes<T>
        where T : struct => LaneMath<TLanes, T>.Tanh(z);

    // f′ = 1 − y²
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Back<TLanes, T>(T dy, T given, T slope)
        where TLanes : ILanes<T>
        where T : struct => TLanes.Multiply(dy, TLanes.Subtract(TLanes.All(1), TLanes.Multiply(given, given)));
}

internal readonly struct SiluLanes : ILaneFunction
{
    public static bool NeedsInput => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Of<TLanes, T>(T z, T slope)
        where TLanes : ILanes<T>
        where T : struct => TLanes.Multiply(z, LaneMath<TLanes, T>.Sigmoid(z));

    // f′ = y + σ·(1−y), with y = z·σ
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Back<TLanes, T>(T dy, T given, T slope)
        where TLanes : ILanes<T>
        where T : struct
    {
        var sigmoid = LaneMath<TLanes, T>.Sigmoid(given);
        var y = TLanes.Multiply(given, sigmoid);
        return TLanes.Multiply(dy, TLanes.MultiplyAdd(sigmoid, TLanes.Subtract(TLanes.All(1), y), y));
    }
}

internal readonly struct GeluLanes : ILaneFunction
{
    public static bool NeedsInput => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Of<TLanes, T>(T z, T slope)
        where TLanes : ILanes<T>
        where T : struct => TLanes.Multiply(z, Distribution<TLanes, T>(z));

    // f′ = Φ(z) + z·φ(z), with φ(z) = e^(−z²/2)/√(2π)
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Back<TLanes, T>(T dy, T given, T slope)
        where TLanes : ILanes<T>
        where T : struct
    {
        var square = TLanes.Multiply(TLanes.Multiply(given, given), TLanes.All(-0.5f));
        var density = TLanes.Multiply(LaneMath<TLanes, T>.Exp(square), TLanes.All(0.398942280f));
        return TLanes.Multiply(dy, TLanes.MultiplyAdd(given, density, Distribution<TLanes, T>(given)));
    }

    // Φ(z) = (1 + erf(z/√2))/2
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Distribution<TLanes, T>(T z)
        where TLanes : ILanes<T>
        where T : struct
    {
        var erf = LaneMath<TLanes, T>.Erf(TLanes.Multiply(z, TLanes.All(0.707106781f)));
        return TLanes.MultiplyAdd(erf, TLanes.All(0.5f), TLanes.All(0.5f));
    }
}
