using System.Diagnostics.CodeAnalysis;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Operators;
using MlNetBatchNorm.Trainer.Text;

namespace MlNetBatchNorm;

/// <summary>
/// An elementwise function and its derivative, for <see cref="Network.Activation"/>. Immutable; equal functions are equal.
/// </summary>
public abstract record Activation
{
    private protected Activation()
    {
    }

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
    internal abstract string Kind { get; }

    /// <summary>Whether negative inputs are cut off or nearly so, which asks for He's initializer in front (He et al. 2015).</summary>
    internal virtual bool IsRectifier => false;

    /// <summary>What kernels of our own know it as; null where they do not.</summary>
    internal virtual LaneFunction? Function => null;

    /// <summary>Its slope for negative inputs, where it has one to choose.</summary>
    internal virtual float Slope => 0;

    private protected virtual string Text => Kind;

    /// <summary>The names that <see cref="Parse"/> knows.</summary>
    internal static IEnumerable<string> Names => [.. Simple.Select(activation => activation.Kind), "leakyrelu"];

    private static Activation[] Simple => [Relu, Gelu, Silu, Softplus, Sigmoid, Tanh, Identity];

    /// <summary>x where positive, <paramref name="slope"/>·x elsewhere.</summary>
    /// <param name="slope">The slope for negative inputs, from 0 to below 1. Default: 0.01.</param>
    /// <exception cref="ArgumentOutOfRangeException">The slope is out of its range.</exception>
    public static Activation LeakyRelu(float slope = 0.01f) => new LeakyReluActivation(slope);

    /// <summary>
    /// Reads a function as <see cref="ToString"/> writes it, in any case: relu, leakyrelu or leakyrelu:SLOPE, gelu, silu, softplus,
    /// sigmoid, tanh or identity.
    /// </summary>
    /// <exception cref="FormatException">Another name.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The slope is out of its range.</exception>
    public static Activation Parse(string text) => Choice.Read(text) switch
    {
        ("leakyrelu", [var slope]) => LeakyRelu((float)slope),
        ("leakyrelu", []) => LeakyRelu(),
        (var name, []) when Simple.FirstOrDefault(activation => activation.Kind == name) is { } activation => activation,
        var other => throw other.Unknown("an activation", "relu, leakyrelu[:SLOPE], gelu, silu, softplus, sigmoid, tanh or identity"),
    };

    /// <summary>Reads a text as <see cref="Parse"/> does, without an exception.</summary>
    /// <param name="text">The text; null is none.</param>
    /// <param name="result">What it says; null when it could not be read.</param>
    /// <returns>Whether it could be read.</returns>
    public static bool TryParse(string? text, [NotNullWhen(true)] out Activation? result) => Choice.TryParse(Parse, text, out result);

    /// <summary>The function as <see cref="Parse"/> reads it: <c>leakyrelu:0.2</c>.</summary>
    public sealed override string ToString() => Text;

    /// <summary>Emits y = f(x).</summary>
    internal abstract Value Forward(GraphBuilder nodes, Value x);

    /// <summary>Emits dx = f′(x)·dy.</summary>
    /// <param name="nodes">The graph.</param>
    /// <param name="x">The input of the forward pass.</param>
    /// <param name="y">Its output.</param>
    /// <param name="dy">The gradient with respect to the output.</param>
    internal abstract Value Backward(GraphBuilder nodes, Value x, Value y, Value dy);

    /// <summary>Emits 1 where x is above 0, and 0 elsewhere.</summary>
    /// <remarks>
    /// As max(0, min(1, c·x)) with the largest c there is: one pass that ONNX Runtime vectorizes and shares among threads. Sign, and a
    /// comparison with a Where, took several times as long.
    /// </remarks>
    private protected static Value IsPositive(GraphBuilder nodes, Value x) =>
        nodes.Named("isPositive", "HardSigmoid", [x], ("alpha", float.MaxValue), ("beta", 0f));

    /// <summary>max(0, x).</summary>
    private sealed record ReluActivation : Activation
    {
        internal override string Kind => "relu";

        internal override LaneFunction? Function => LaneFunction.Relu;

        internal override bool IsRectifier => true;

        internal override Value Forward(GraphBuilder nodes, Value x) => nodes.Named("y", "Relu", [x]);

        internal override Value Backward(GraphBuilder nodes, Value x, Value y, Value dy) =>
            nodes.Named("dx", "Mul", [dy, IsPositive(nodes, y)]);
    }

    /// <summary>x where positive, a·x elsewhere.</summary>
    private sealed record LeakyReluActivation : Activation
    {
        private readonly float _slope;

        public LeakyReluActivation(float slope)
        {
            if (slope is not (>= 0 and < 1))
                throw new ArgumentOutOfRangeException(nameof(slope), slope, "The slope of a leaky relu is from 0 to below 1.");
            _slope = slope;
        }

        internal override string Kind => "leakyrelu";

        internal override LaneFunction? Function => LaneFunction.LeakyRelu;

        internal override float Slope => _slope;

        private protected override string Text => Choice.Write(Kind, _slope);

        internal override bool IsRectifier => true;

        internal override Value Forward(GraphBuilder nodes, Value x) => nodes.Named("y", "LeakyRelu", [x], ("alpha", _slope));

        // f′ = a + (1−a)·(x > 0).
        internal override Value Backward(GraphBuilder nodes, Value x, Value y, Value dy)
        {
            var rise = nodes.Node("Mul", [IsPositive(nodes, x), nodes.Constant(1 - _slope)]);
            return nodes.Named("dx", "Mul", [dy, nodes.Node("Add", [rise, nodes.Constant(_slope)])]);
        }
    }

    /// <summary>
    /// x·Φ(x), with Φ the normal distribution (Hendrycks and Gimpel 2016, arXiv 1606.08415); the exact form, not the tanh approximation.
    /// </summary>
    private sealed record GeluActivation : Activation
    {
        internal override string Kind => "gelu";

        internal override LaneFunction? Function => LaneFunction.Gelu;

        internal override bool IsRectifier => true;

        // Φ(x) = (1 + erf(x/√2))/2; Gelu as one operator exists from operator set 20 on.
        internal override Value Forward(GraphBuilder nodes, Value x) =>
            nodes.Opset >= 20 ? nodes.Named("y", "Gelu", [x]) : nodes.Named("y", "Mul", [x, Distribution(nodes, x)]);

        // f′ = Φ(x) + x·φ(x), with φ(x) = e^(−x²/2)/√(2π).
        internal override Value Backward(GraphBuilder nodes, Value x, Value y, Value dy)
        {
            var square = nodes.Node("Mul", [nodes.Node("Mul", [x, x]), nodes.Constant(-0.5f)]);
            var density = nodes.Node("Mul", [nodes.Node("Exp", [square]), nodes.Constant((float)(1 / Math.Sqrt(2 * Math.PI)))]);
            var slope = nodes.Node("Add", [Distribution(nodes, x), nodes.Node("Mul", [x, density])]);
            return nodes.Named("dx", "Mul", [dy, slope]);
        }

        private static Value Distribution(GraphBuilder nodes, Value x)
        {
            var erf = nodes.Node("Erf", [nodes.Node("Mul", [x, nodes.Constant((float)Math.Sqrt(0.5))])]);
            return nodes.Node("Mul", [nodes.Node("Add", [erf, nodes.Constant(1)]), nodes.Constant(0.5f)]);
        }
    }

    /// <summary>x·σ(x), also called swish (Ramachandran et al. 2017, arXiv 1710.05941).</summary>
    private sealed record SiluActivation : Activation
    {
        internal override string Kind => "silu";

        internal override LaneFunction? Function => LaneFunction.Silu;

        internal override bool IsRectifier => true;

        internal override Value Forward(GraphBuilder nodes, Value x) => nodes.Named("y", "Mul", [x, nodes.Node("Sigmoid", [x])]);

        // f′ = σ + x·σ·(1−σ) = σ + y·(1−σ) = y + σ·(1−y).
        internal override Value Backward(GraphBuilder nodes, Value x, Value y, Value dy)
        {
            var rest = nodes.Node("Mul", [nodes.Node("Sigmoid", [x]), nodes.Node("Sub", [nodes.Constant(1), y])]);
            return nodes.Named("dx", "Mul", [dy, nodes.Node("Add", [y, rest])]);
        }
    }

    /// <summary>log(1 + e^x), a smooth relu.</summary>
    private sealed record SoftplusActivation : Activation
    {
        internal override string Kind => "softplus";

        internal override bool IsRectifier => true;

        internal override Value Forward(GraphBuilder nodes, Value x) => nodes.Named("y", "Softplus", [x]);

        // f′ = σ(x).
        internal override Value Backward(GraphBuilder nodes, Value x, Value y, Value dy) =>
            nodes.Named("dx", "Mul", [dy, nodes.Node("Sigmoid", [x])]);
    }

    /// <summary>1 / (1 + e^−x).</summary>
    private sealed record SigmoidActivation : Activation
    {
        internal override string Kind => "sigmoid";

        internal override LaneFunction? Function => LaneFunction.Sigmoid;

        internal override Value Forward(GraphBuilder nodes, Value x) => nodes.Named("y", "Sigmoid", [x]);

        // f′ = y·(1−y) = y − y².
        internal override Value Backward(GraphBuilder nodes, Value x, Value y, Value dy) =>
            nodes.Named("dx", "Mul", [dy, nodes.Node("Sub", [y, nodes.Node("Mul", [y, y])])]);
    }

    /// <summary>The hyperbolic tangent.</summary>
    private sealed record TanhActivation : Activation
    {
        internal override string Kind => "tanh";

        internal override LaneFunction? Function => LaneFunction.Tanh;

        internal override Value Forward(GraphBuilder nodes, Value x) => nodes.Named("y", "Tanh", [x]);

        // f′ = 1 − y².
        internal override Value Backward(GraphBuilder nodes, Value x, Value y, Value dy) =>
            nodes.Named("dx", "Mul", [dy, nodes.Node("Sub", [nodes.Constant(1), nodes.Node("Mul", [y, y])])]);
    }

    /// <summary>x itself: no node at all.</summary>
    private sealed record IdentityActivation : Activation
    {
        internal override string Kind => "identity";

        internal override Value Forward(GraphBuilder nodes, Value x) => x;

        internal override Value Backward(GraphBuilder nodes, Value x, Value y, Value dy) => dy;
    }
}
