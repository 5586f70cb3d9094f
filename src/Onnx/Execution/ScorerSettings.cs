namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>How a <see cref="Scorer"/> runs its model. The defaults are for the shortest time for one row.</summary>
public sealed record ScorerSettings
{
    /// <summary>
    /// For the most rows in a second from at least as many callers as there are cores: each call stays on its caller's thread, and nobody spins.
    /// </summary>
    public static ScorerSettings Throughput { get; } = new() { Threads = 1, Spinning = false };

    /// <summary>The device. Default: the CPU.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>
    /// Threads that share one operator; 0 = one for each processor that the process may use. Default: null, chosen while loading: one thread is the fastest where a
    /// row takes less than 50 µs on it, and is kept without further ado; else all cores are tried as well, and kept if they take at least a
    /// fifth off. <see cref="Scorer.Threads"/> says what was chosen, and the process remembers it for the same model and settings. Batches that
    /// would keep one thread busy for more than 100 µs then still get all cores: each takes part of the rows, or they share the operators, or not,
    /// whatever went fastest with the first few of that size. For that a model of at most 64 MiB is loaded once more.
    /// </summary>
    public int? Threads { get; init; }

    /// <summary>
    /// The most copies of the model in memory, each with runs of its own; made when calls overlap. Default: null, one for each core on the CPU
    /// with one thread and a model of at most 1 MiB, whose runs are so short that they would mostly wait for each other; 1 otherwise.
    /// </summary>
    public int? Sessions { get; init; }

    /// <summary>
    /// Whether idle threads wait for work by spinning, for a millisecond after a run: quicker, at the price of busy cores. Default: true. Without
    /// effect on one thread.
    /// </summary>
    public bool Spinning { get; init; } = true;

    /// <summary>Whether memory that a run needs is kept for the next one. Default: true, the fastest.</summary>
    public bool MemoryArena { get; init; } = true;

    /// <summary>How much ONNX Runtime may rewrite the graph while loading. Default: <see cref="GraphOptimization.All"/>.</summary>
    public GraphOptimization Optimization { get; init; } = GraphOptimization.All;

    /// <summary>The outputs to compute, in this order; null = all of the model's.</summary>
    public IReadOnlyList<string>? Outputs { get; init; }

    /// <summary>
    /// The most rows that go through the model at once. Default: null, rows of about 1 MiB, at least 256 and at most 4096. Rounded up to a power
    /// of two, and lowered for long rows, so that no buffer is larger than 64 MiB; <see cref="Scorer.BatchSize"/> is what came of it.
    /// </summary>
    public int? BatchSize { get; init; }

    internal SessionSettings ForSession(int threads) => new()
    {
        Device = Device,
        Threads = threads,
        Spinning = Spinning,
        Optimization = Optimization,
        MemoryArena = MemoryArena,
    };
}
