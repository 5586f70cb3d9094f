namespace MlNetBatchNorm.Transforms;

/// <summary>The rows of a view that could not be learned from.</summary>
/// <param name="Count">How many were left out.</param>
/// <param name="Total">Of how many.</param>
/// <param name="FirstReason">What was wrong with the first one; empty when there is none.</param>
internal readonly record struct LeftOutRows(long Count, long Total, string FirstReason);
