namespace MlNetBatchNorm;

/// <summary>How a <see cref="Scorer"/> runs its model.</summary>
public sealed record ScorerSettings : ExecutionOptions
{
    /// <summary>The defaults: the shortest time for one row.</summary>
    public ScorerSettings()
    {
    }

    internal ScorerSettings(ExecutionOptions run)
        : base(run)
    {
    }

    /// <summary>
    /// For the most rows in a second from at least as many callers as there are cores: each call stays on its caller's thread, and nobody
    /// spins.
    /// </summary>
    public static ScorerSettings Throughput { get; } = new() { Threads = 1, Spinning = false };

    /// <summary>
    /// The most copies of the model in memory, each with runs of its own; made when calls overlap. Default: null, one for each core on the
    /// CPU with one thread and a model of at most 1 MiB, whose runs are so short that they would mostly wait for each other; 1 otherwise.
    /// </summary>
    public int? Sessions { get; init; }

    /// <summary>The outputs to compute, in this order; null = all of the model's.</summary>
    public IReadOnlyList<string>? Outputs { get; init; }
}
