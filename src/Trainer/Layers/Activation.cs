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

    /// <summary>Whether negative inputs are cut off or nearly so, which asks for He's initializer in front (He et al. 2015).</summary>
    public virtual bool IsRectifier => false;

    /// <summary>x where positive, <paramref name="slope"/>·x elsewhere.</summary>
    /// <param name="slope">The slope for negative inputs, from 0 to below 1. Default: 0.01.</param>
    public static Activation LeakyRelu(float slope = 0.01f) => new LeakyReluActivation(slope);

    /// <summary>Reads a name: relu, leakyrelu, gelu, silu, softplus, sigmoid, tanh or identity (in any case).</summary>
    /// <exception cref="FormatException">Another name.</exception>
    public static Activation Parse(string name) => name?.ToUpperInvariant() switch
    {
        "RELU" => Relu,
        "LEAKYRELU" => LeakyRelu(),
        "GELU" => Gelu,
        "SILU" => Silu,
        "SOFTPLUS" => Softplus,
        "SIGMOID" => Sigmoid,
        "TANH" => Tanh,
        "IDENTITY" => Identity,
        _ => throw new FormatException($"'{name}' is not an activation; use relu, leakyrelu, gelu, silu, softplus, sigmoid, tanh or identity."),
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
