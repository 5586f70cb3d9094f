namespace MlNetBatchNorm.Hosting;

/// <summary>Why a changed file or changed options were not taken; the model from before goes on.</summary>
public sealed record ReloadFailure
{
    /// <summary>When it was tried.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>What was wrong, in one line.</summary>
    public required string Message { get; init; }
}
