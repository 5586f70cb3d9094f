using Microsoft.ML.OnnxRuntime;

namespace MlNetBatchNorm.Onnx.Execution.Memory;

/// <summary>
/// Page-locked memory of the host, from which a device copies without a detour. It belongs to ONNX Runtime's environment, which lives as
/// long as the process, so buffers in it may outlive the session.
/// </summary>
internal sealed class PinnedMemory(OrtAllocator allocator)
{
    public OrtMemoryInfo Info { get; } = allocator.Info;

    /// <summary>The memory that a provider offers for a device; null where it offers none.</summary>
    public static PinnedMemory? Of(OrtEpDevice device)
    {
        try
        {
            var info = device.GetMemoryInfo(OrtDeviceMemoryType.HOST_ACCESSIBLE);
            return !info.IsInvalid && OrtEnv.Instance().GetSharedAllocator(info) is { } shared ? new PinnedMemory(shared) : null;
        }
        catch (OnnxRuntimeException)
        {
            return null;
        }
    }

    /// <summary>A block of so many bytes; null where there is no more of it.</summary>
    public OrtMemoryAllocation? TryAllocate(long bytes)
    {
        if (bytes > uint.MaxValue) return null;
        try
        {
            var block = allocator.Allocate((uint)bytes);
            if (!block.IsInvalid) return block;
            block.Dispose();
        }
        catch (OnnxRuntimeException)
        {
            // Page-locked memory is scarce; ordinary memory works as well.
        }

        return null;
    }
}
