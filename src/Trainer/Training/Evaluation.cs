namespace MlNetBatchNorm.Trainer;

/// <summary>How good a network is on some rows, measured with the statistics that it would be exported with.</summary>
/// <param name="Loss">The weighted mean of the rows' losses.</param>
/// <param name="Metrics">Further figures by name: <c>auc</c>, <c>accuracy</c> and <c>logLoss</c> for two classes, <c>accuracy</c> and <c>logLoss</c> for more, <c>rmse</c> for regression.</param>
public sealed record Evaluation(double Loss, IReadOnlyDictionary<string, double> Metrics);
