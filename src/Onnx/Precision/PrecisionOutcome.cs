namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>What became of one weight or node when a model got fewer bits.</summary>
/// <param name="Name">The weight (float16) or the node (float16 arithmetic, int8).</param>
/// <param name="IsReduced">Whether it has fewer bits now.</param>
/// <param name="Detail">How that was done where there is a choice, or why it stays as it is: a clause.</param>
public sealed record PrecisionOutcome(string Name, bool IsReduced, string Detail);
