namespace MlNetBatchNorm.Onnx.Execution.Memory;

/// <summary>Takes the host's memory for a device's, so that all around a device is tested without one.</summary>
internal enum MemoryStandIn
{
    /// <summary>Tensors lie where ONNX Runtime says.</summary>
    None,

    /// <summary>As on a device to whose memory can be copied.</summary>
    Kept,

    /// <summary>As on a device to whose memory only ONNX Runtime copies.</summary>
    HandedOver,
}
