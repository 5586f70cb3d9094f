namespace MlNetBatchNorm.Cli;

/// <summary>The user stopped the work, but it left something behind.</summary>
internal sealed class StoppedException(string message, Exception innerException) : OperationCanceledException(message, innerException);
