namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>How a bound run's tensors get to the model and back.</summary>
public enum TensorRoute
{
    /// <summary>The model reads and writes the host's memory.</summary>
    InPlace,

    /// <summary>
    /// Each bound run keeps tensors of its own in the device's memory; a run copies the inputs there and the outputs back, and no more.
    /// </summary>
    Kept,

    /// <summary>ONNX Runtime makes tensors in the device's memory anew at each run.</summary>
    HandedOver,
}
