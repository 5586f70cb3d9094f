using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Execution.Memory;

/// <summary>What an input or output of a bound run is tied to.</summary>
/// <param name="Value">The tensor.</param>
/// <param name="Shape">Its shape.</param>
/// <param name="Memory">What must not be collected as long as the tensor may be read: native code holds bare pointers.</param>
/// <param name="OnDevice">Whether it lies where the model reads or writes it.</param>
/// <param name="IsOwned">Whether the run disposes it.</param>
internal sealed record BoundTensor(OrtValue Value, long[] Shape, object? Memory, bool OnDevice, bool IsOwned);
