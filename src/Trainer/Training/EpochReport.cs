namespace MlNetBatchNorm.Trainer;

/// <summary>What happened in one epoch.</summary>
/// <param name="Epoch">The number of the epoch, from 1.</param>
/// <param name="Epochs">The most epochs that there can be.</param>
/// <param name="Loss">The mean loss over the epoch's mini-batches, each measured before its step.</param>
/// <param name="Validation">The network at the end of the epoch on the rows held out; null when there are none.</param>
/// <param name="IsBest">Whether this epoch's network is the best so far.</param>
/// <param name="Elapsed">The time since training began.</param>
public sealed record EpochReport(int Epoch, int Epochs, double Loss, Evaluation? Validation, bool IsBest, TimeSpan Elapsed);
