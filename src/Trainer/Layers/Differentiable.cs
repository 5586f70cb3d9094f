using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Trainer;

/// <summary>A value in a training graph together with the way back from it.</summary>
/// <param name="Output">The value.</param>
/// <param name="Backward">
/// Emits the backward pass: takes the loss's gradient with respect to <paramref name="Output"/>, registers the parameters' gradients and
/// returns the gradient with respect to the input. Its second argument says whether anyone needs the latter; if not it may return
/// <see cref="Value.None"/> (the first layer's input has no use for one).
/// </param>
public readonly record struct Differentiable(Value Output, Func<Value, bool, Value> Backward);
