using MlNetBatchNorm.Onnx.Execution.Memory;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>How a model is to be run.</summary>
internal sealed record SessionSettings
{
    /// <summary>The device. Default: the CPU.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>Threads that share one operator; 0 = one for each processor that the process may use. Default: 1, the fastest for small networks.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>How much ONNX Runtime may rewrite the graph. Default: <see cref="GraphOptimization.All"/>.</summary>
    public GraphOptimization Optimization { get; init; } = GraphOptimization.All;

    /// <summary>
    /// Whether idle threads wait for work by spinning, for a millisecond after a run: quicker, at the price of busy cores. Default: true. Without
    /// effect when <see cref="Threads"/> is 1.
    /// </summary>
    public bool Spinning { get; init; } = true;

    /// <summary>
    /// Whether memory that a run needs is kept for the next one. Default: true, the fastest; false returns it after each run, for models that
    /// are rarely run or that once in a while see a very large batch.
    /// </summary>
    public bool MemoryArena { get; init; } = true;

    /// <summary>A name for the model in error messages. Default: the file's path, or "the model".</summary>
    public string? Name { get; init; }

    /// <summary>Takes the host's memory for a device's. For tests without such a device.</summary>
    internal MemoryStandIn StandIn { get; init; }

    /// <summary>Where to write what each node took, without the file's ending; null = nowhere.</summary>
    internal string? ProfilePrefix { get; init; }
}
