using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>
/// The loss's gradient with respect to a parameter: a value, or a product xᵀ·dy that an optimizer may fuse into its update instead of
/// writing it to memory first.
/// </summary>
public readonly record struct Gradient
{
    private Gradient(Value left, Value right)
    {
        Left = left;
        Right = right;
    }

    /// <summary>Whether this is a product that has not been computed.</summary>
    public bool IsProduct => Right.IsGiven;

    /// <summary>The layer's input x, <c>[N, C]</c>, or the gradient itself.</summary>
    public Value Left { get; }

    /// <summary>The gradient dy with respect to the layer's output, <c>[N, K]</c>.</summary>
    public Value Right { get; }

    /// <summary>A gradient that is there already.</summary>
    public static Gradient Of(Value value) => new(value, Value.None);

    /// <summary>xᵀ·dy, <c>[C, K]</c>.</summary>
    public static Gradient Product(Value x, Value dy) => new(x, dy);

    /// <summary>The gradient as a value.</summary>
    public Value Emit(GraphBuilder nodes) => IsProduct ? nodes.Named("gradient", "Gemm", [Left, Right], ("transA", 1)) : Left;
}
