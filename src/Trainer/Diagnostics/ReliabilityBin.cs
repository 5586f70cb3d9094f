namespace MlNetBatchNorm.Trainer;

/// <summary>Rows with about the same probability: how often what was said came about.</summary>
/// <param name="From">The lowest probability of the bin.</param>
/// <param name="To">The highest; the next bin begins there.</param>
/// <param name="MeanProbability">The mean probability of the bin's rows.</param>
/// <param name="PositiveShare">The share of its rows that are positive.</param>
/// <param name="Weight">The weight of its rows together; their number, where all count the same.</param>
public readonly record struct ReliabilityBin(double From, double To, double MeanProbability, double PositiveShare, double Weight);
