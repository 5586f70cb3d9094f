namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>Whether a device can be used here.</summary>
/// <param name="Device">The device.</param>
/// <param name="IsAvailable">Whether a small model ran on it and gave the right numbers.</param>
/// <param name="Attempts">What was tried.</param>
/// <param name="Install">What it needs; empty for the CPU.</param>
public sealed record DeviceStatus(Device Device, bool IsAvailable, IReadOnlyList<DeviceAttempt> Attempts, string Install)
{
    /// <summary>How tensors get to a model there; null where none ran.</summary>
    internal MemoryReport? Memory { get; init; }
}
