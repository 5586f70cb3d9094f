namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>The kinds of device that a model can run on.</summary>
public enum DeviceKind
{
    /// <summary>The best one available.</summary>
    Auto,

    /// <summary>The CPU.</summary>
    Cpu,

    /// <summary>An NVIDIA GPU, through ONNX Runtime's CUDA provider.</summary>
    Cuda,
}
