using MlNetBatchNorm.Onnx.Execution.Memory;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>How a <see cref="RowModel"/> is to be read and run.</summary>
internal sealed record RowModelSettings
{
    /// <summary>The device. Default: the CPU.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>
    /// Threads that share one operator; 0 = one for each processor that the process may use. Default: null, chosen while running: what one thread
    /// is done with in 100 µs stays on it; for more all cores take part of the rows each, or share the operators, or not, whatever went fastest
    /// with the first few calls of that size. For that a model of at most 64 MiB is loaded once more when it is first needed; a larger one runs with
    /// operators that all cores share.
    /// </summary>
    public int? Threads { get; init; }

    /// <summary>The outputs to compute, in this order; null = all of the model's.</summary>
    public IReadOnlyList<string>? Outputs { get; init; }

    /// <summary>
    /// The shape of one row, by the name of the input or output, where the model leaves more than the first dimension free; the first
    /// dimension is not part of it.
    /// </summary>
    public IReadOnlyDictionary<string, IReadOnlyList<long>>? Shapes { get; init; }

    /// <summary>
    /// Whether the tensors have no dimension for rows: each tensor as a whole is what one row has, a free first dimension is 1, and every row
    /// is a run of its own. Default: false, the first dimension counts rows.
    /// </summary>
    public bool RowByRow { get; init; }

    /// <summary>See <see cref="SessionSettings.StandIn"/>.</summary>
    internal MemoryStandIn StandIn { get; init; }
}
