namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>What one network of the experiment came to.</summary>
/// <param name="HiddenLayers">Its depth.</param>
/// <param name="BatchNorm">Whether it has batch normalizations.</param>
/// <param name="LearningRate">The rate it was trained at.</param>
/// <param name="TestAccuracy">The share of the test rows that it gets right; null where training diverged.</param>
/// <param name="TrainingLoss">The mean loss over the last epoch; null where training diverged.</param>
/// <param name="SecondsPerEpoch">The time of an epoch, on average; null where training diverged.</param>
internal sealed record DepthTrial(
    int HiddenLayers, bool BatchNorm, float LearningRate, double? TestAccuracy, double? TrainingLoss, double? SecondsPerEpoch);
