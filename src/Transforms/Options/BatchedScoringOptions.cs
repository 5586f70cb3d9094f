
namespace MlNetBatchNorm;

/// <summary>How models are run in batches.</summary>
public record BatchedScoringOptions
{
    /// <summary>The rows that go through a model at once, where nothing else is said.</summary>
    internal const int DefaultBatchSize = 1024;

    /// <summary>
    /// The device; null (the default) = the GPU that the context's <c>GpuDeviceId</c> names (with <c>FallbackToCpu</c>, or else the CPU),
    /// and where it names none, the CPU.
    /// </summary>
    public Device? Device { get; init; }

    /// <summary>
    /// Threads that share one operator; 0 = one for each processor that the process may use. Default: null, chosen while running: what one
    /// thread is done with in 100 µs stays on it; for more all cores take part of the rows each, or share the operators, whatever went
    /// fastest with the first few batches.
    /// </summary>
    public int? Threads { get; init; }

    /// <summary>
    /// The most rows that go through a model at once; rounded up to a power of two. Default: 1024. Fewer where a row is so large that a
    /// batch would take more than some 16 MB.
    /// </summary>
    public int BatchSize { get; init; } = DefaultBatchSize;

    /// <summary>How a model is run on a device that was chosen.</summary>
    internal ExecutionOptions ToRun(Device device) => new() { Device = device, Threads = Threads };
}
