namespace MlNetBatchNorm.Onnx;

/// <summary>How a <see cref="OnnxScorer"/> runs its model.</summary>
public sealed record OnnxScorerOptions : ExecutionOptions
{
    /// <summary>The defaults: the shortest time for one row.</summary>
    public OnnxScorerOptions()
    {
    }

    internal OnnxScorerOptions(ExecutionOptions run)
        : base(run)
    {
    }

    /// <summary>
    /// For the most rows in a second from at least as many callers as there are cores: each call stays on its caller's thread, and nobody
    /// spins.
    /// </summary>
    public static OnnxScorerOptions ForThroughput { get; } = new() { Threads = 1, Spinning = false };

    /// <summary>
    /// The most copies of the model in memory, each with runs of its own; made when calls overlap. Default: null, one for each core on the
    /// CPU with one thread and a model of at most 1 MiB, whose runs are so short that they would mostly wait for each other; 1 otherwise.
    /// </summary>
    public int? Sessions { get; init; }

    /// <summary>
    /// What computes the rows. Default: <see cref="ScoringEngine.Auto"/>, what was measured to be quicker while loading. On other devices
    /// than the CPU it is ONNX Runtime. With <see cref="ScoringEngine.Direct"/> loading fails with an <see cref="InvalidModelException"/>
    /// that names the first node that cannot be done.
    /// </summary>
    public ScoringEngine Engine { get; init; }

    /// <summary>
    /// Whether how a batch is divided follows from its rows alone, so that every run gives the same digits; with
    /// <see cref="ScoringEngine.Reproducible"/> it is.
    /// </summary>
    internal bool IsReproducible
    {
        get => field || Engine == ScoringEngine.Reproducible;
        init;
    }

    /// <summary>The outputs to compute, in this order; null = all of the model's.</summary>
    public IReadOnlyList<string>? Outputs { get; init; }
}
