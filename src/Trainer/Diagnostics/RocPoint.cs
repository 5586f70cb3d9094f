namespace MlNetBatchNorm.Trainer;

/// <summary>A point of a ROC curve: what a threshold lets through.</summary>
/// <param name="Threshold">Rows that score at least this much are called positive; infinity = none.</param>
/// <param name="FalsePositiveRate">The share of the negative rows that are called positive.</param>
/// <param name="TruePositiveRate">The share of the positive rows that are called positive.</param>
public readonly record struct RocPoint(float Threshold, double FalsePositiveRate, double TruePositiveRate);
