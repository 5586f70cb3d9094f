namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>What became of one batch normalization.</summary>
/// <param name="Name">The node's name, or that of its output when it has none.</param>
/// <param name="Status">What was done.</param>
/// <param name="Into">The names of the nodes that took it in, separated by commas; empty when it was declined.</param>
/// <param name="Reason">Why it was declined, or why it could only be rewritten; empty otherwise.</param>
public sealed record BatchNormOutcome(string Name, FoldStatus Status, string Into, string Reason);
