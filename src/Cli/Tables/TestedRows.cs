using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>Rows that were not learned from, and what a network predicts for them.</summary>
/// <param name="Rows">The rows as features and targets (<see cref="TrainingData.Targets"/>), with their weights.</param>
/// <param name="Predictions">
/// The predictions, <c>[N, K]</c> row-major: the probability of the positive class (K = 1), of each class, or the number itself (K = 1).
/// </param>
internal sealed record TestedRows(TrainingData Rows, float[] Predictions);
