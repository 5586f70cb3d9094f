using MlNetBatchNorm.Onnx.Execution;

namespace MlNetBatchNorm.Transforms;

/// <summary>How models are run in batches.</summary>
public record BatchedScoringOptions
{
    /// <summary>The device. Default: the CPU. See <see cref="Microsoft.ML.MLContextDevice"/> for the one that an <c>MLContext</c> names.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>
    /// Threads that share one operator; 0 = one for each processor that the process may use. Default: null, chosen while running: what one thread
    /// is done with in 100 µs stays on it; for more all cores take part of the rows each, or share the operators, whatever went fastest with the
    /// first few batches.
    /// </summary>
    public int? Threads { get; init; }

    /// <summary>
    /// The most rows that go through a model at once; rounded up to a power of two. Default: 1024. Fewer where a row is so large that a batch
    /// would take more than some 16 MB.
    /// </summary>
    public int BatchSize { get; init; } = RowScoring.DefaultBatchSize;
}
