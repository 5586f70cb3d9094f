namespace MlNetBatchNorm.Trainer;

/// <summary>What the host knows at the start of a training step.</summary>
/// <param name="Step">The number of the step, from 1.</param>
/// <param name="Rows">The rows in this mini-batch.</param>
/// <param name="LearningRate">The learning rate of this step.</param>
public readonly record struct StepContext(long Step, int Rows, float LearningRate);
