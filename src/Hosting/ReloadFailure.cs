namespace MlNetBatchNorm.Hosting;

/// <summary>Why a changed file or changed options were not taken; the model from before goes on.</summary>
/// <param name="At">When it was tried.</param>
/// <param name="Message">What was wrong, in one line.</param>
public sealed record ReloadFailure(DateTimeOffset At, string Message);
