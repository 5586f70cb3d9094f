namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>How a <see cref="Scorer"/> runs its model.</summary>
public sealed record ScorerSettings
{
    /// <summary>The device. Default: the CPU.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>Threads that share one operator. Default: 1, the fastest for one row and for small networks.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>The outputs to compute, in this order; null = all of the model's.</summary>
    public IReadOnlyList<string>? Outputs { get; init; }

    /// <summary>The most rows that go through the model at once. Default: 1024. Rounded up to a power of two.</summary>
    public int BatchSize { get; init; } = 1024;
}
