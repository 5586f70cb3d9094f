namespace MlNetBatchNorm.Trainer;

/// <summary>Something about a training that works but probably not as meant.</summary>
/// <param name="Kind">What it is about.</param>
/// <param name="Layer">The layer that it is about, by its name in the network; null when it is about all of them.</param>
/// <param name="Message">What was found, what it does and what to do about it.</param>
public sealed record TrainingWarning(TrainingWarningKind Kind, string? Layer, string Message);
