namespace MlNetBatchNorm.Trainer;

/// <summary>How good a network is on some rows, measured with the statistics that it would be exported with.</summary>
/// <param name="Loss">The weighted mean of the rows' losses; of standardized targets, where training standardizes them.</param>
/// <param name="Metrics">Further figures by name, as <see cref="Trainer.Loss.Metrics"/> lists them; in the target's own unit.</param>
public sealed record Evaluation(double Loss, IReadOnlyDictionary<string, double> Metrics);
