using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>An elementwise function and its derivative.</summary>
public abstract record Activation
{
    /// <summary>max(0, x).</summary>
    public static Activation Relu { get; } = new ReluActivation();

    /// <summary>1 / (1 + e^−x).</summary>
    public static Activation Sigmoid { get; } = new SigmoidActivation();

    /// <summary>The hyperbolic tangent.</summary>
    public static Activation Tanh { get; } = new TanhActivation();

    /// <summary>x·Φ(x), with Φ the normal distribution.</summary>
    public static Activation Gelu { get; } = new GeluActivation();

    /// <summary>x / (1 + e^−x), also called swish.</summary>
    public static Activation Silu { get; } = new SiluActivation();

    /// <summary>log(1 + e^x).</summary>
    public static Activation Softplus { get; } = new SoftplusActivation();

    /// <summary>x itself.</summary>
    public static Activation Identity { get; } = new IdentityActivation();

    /// <summary>The kind, as it stands in names and summaries.</summary>
    public abstract string Kind { get; }

    /// <summary>The function as <see cref="Parse"/> reads it.</summary>
    public virtual string Text => Kind;

    /// <summary>Whether negative inputs are cut off or nearly so, which asks for He's initializer in front (He et al. 2015).</summary>
    public virtual bool IsRectifier => false;

    /// <summary>The names that <see cref="Parse"/> knows.</summary>
    internal static IEnumerable<string> Names => [.. Simple.Select(activation => activation.Kind), "leakyrelu"];

    private static Activation[] Simple => [Relu, Gelu, Silu, Softplus, Sigmoid, Tanh, Identity];

    /// <summary>x where positive, <paramref name="slope"/>·x elsewhere.</summary>
    /// <param name="slope">The slope for negative inputs, from 0 to below 1. Default: 0.01.</param>
    public static Activation LeakyRelu(float slope = 0.01f) => new LeakyReluActivation(slope);

    /// <summary>Reads a name, in any case: relu, leakyrelu or leakyrelu:SLOPE, gelu, silu, softplus, sigmoid, tanh or identity.</summary>
    /// <exception cref="FormatException">Another name.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The slope is out of its range.</exception>
    public static Activation Parse(string text) => Choice.Read(text) switch
    {
        ("leakyrelu", [var slope]) => LeakyRelu((float)slope),
        ("leakyrelu", []) => LeakyRelu(),
        (var name, []) when Simple.FirstOrDefault(activation => activation.Kind == name) is { } activation => activation,
        var other => throw other.Unknown("an activation", "relu, leakyrelu[:SLOPE], gelu, silu, softplus, sigmoid, tanh or identity"),
    };

    /// <summary>Emits y = f(x).</summary>
    public abstract Value Forward(GraphBuilder nodes, Value x);

    /// <summary>Emits dx = f′(x)·dy.</summary>
    /// <param name="nodes">The graph.</param>
    /// <param name="x">The input of the forward pass.</param>
    /// <param name="y">Its output.</param>
    /// <param name="dy">The gradient with respect to the output.</param>
    public abstract Value Backward(GraphBuilder nodes, Value x, Value y, Value dy);

    /// <summary>Emits 1 where x is above 0, and 0 elsewhere.</summary>
    /// <remarks>
    /// As max(0, min(1, c·x)) with the largest c there is: one pass that ONNX Runtime vectorizes and shares among threads. Sign, and a comparison
    /// with a Where, took several times as long.
    /// </remarks>
    private protected static Value IsPositive(GraphBuilder nodes, Value x) =>
        nodes.Named("isPositive", "HardSigmoid", [x], ("alpha", float.MaxValue), ("beta", 0f));
}
