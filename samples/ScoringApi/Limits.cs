namespace ScoringApi;

/// <summary>What the service takes at once. What is beyond is refused at once, with a sentence, rather than answered late.</summary>
public sealed class Limits
{
    /// <summary>The most rows in a request. Default: 1000.</summary>
    public int BatchRows { get; set; } = 1000;

    /// <summary>The most bytes in the body of a request. Default: 16 MiB.</summary>
    public int BodyBytes { get; set; } = 16 << 20;

    /// <summary>The most rows that requests join for one run of the model; 1 = each request runs on its own. Default: 256.</summary>
    public int JoinedRows { get; set; } = 256;

    /// <summary>The most runs of the model side by side; 0 (the default) = one for each processor.</summary>
    public int ParallelRuns { get; set; }

    /// <summary>The most rows that wait for a run; a request that finds as many is refused (503). Default: 10,000.</summary>
    public int WaitingRows { get; set; } = 10_000;

    /// <summary>The longest that a request waits for its run; then it is refused (503). Default: 5 seconds.</summary>
    public TimeSpan Wait { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>When one who was refused for want of room may try again (Retry-After). Default: 1 second.</summary>
    public TimeSpan RetryAfter { get; set; } = TimeSpan.FromSeconds(1);

    internal bool AreUsable => BatchRows >= 1 && BodyBytes >= 1 && JoinedRows >= 1 && ParallelRuns >= 0 && WaitingRows >= 1
        && Wait > TimeSpan.Zero && RetryAfter >= TimeSpan.Zero;
}
