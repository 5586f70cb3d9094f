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

    /// <summary>An NVIDIA GPU, through TensorRT.</summary>
    TensorRt,

    /// <summary>Any GPU on Windows, through DirectX 12.</summary>
    DirectMl,

    /// <summary>Apple's GPU and neural engine.</summary>
    CoreMl,

    /// <summary>Intel's CPU, GPU or NPU, through OpenVINO.</summary>
    OpenVino,

    /// <summary>Whatever the caller's own code puts into the session options.</summary>
    Custom,
}
