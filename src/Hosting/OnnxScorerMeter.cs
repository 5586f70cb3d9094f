namespace MlNetBatchNorm.Hosting;

/// <summary>
/// The names of the meter and its instruments. Every measurement carries the tag <c>scorer</c>: the scorer's key, or <c>default</c>.
/// </summary>
public static class OnnxScorerMeter
{
    /// <summary>The meter.</summary>
    public const string Name = "MlNetBatchNorm.Hosting";

    /// <summary>
    /// A histogram of the durations of calls in seconds; calls that failed carry <c>error.type</c>. Its count is the number of calls.
    /// </summary>
    public const string Duration = "mlnetbn.scorer.duration";

    /// <summary>A counter of the rows scored.</summary>
    public const string Rows = "mlnetbn.scorer.rows";

    /// <summary>A counter of reloads, with the tag <c>outcome</c>: <c>taken</c> or <c>refused</c>.</summary>
    public const string Reloads = "mlnetbn.scorer.reloads";
}
