namespace ScoringApi;

/// <summary>What the service takes at once.</summary>
public sealed class Limits
{
    /// <summary>The most rows in a batch. Default: 1000.</summary>
    public int BatchRows { get; set; } = 1000;
}
