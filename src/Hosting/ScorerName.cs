namespace MlNetBatchNorm.Hosting;

/// <summary>The name of a registered scorer: its key, and the name of its options; empty for the one without a key.</summary>
internal sealed record ScorerName(string Value);
