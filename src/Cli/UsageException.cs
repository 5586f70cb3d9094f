namespace MlNetBatchNorm.Cli;

/// <summary>An option cannot be what it was given, which was found out only beside the data.</summary>
internal sealed class UsageException(string message, Exception innerException) : Exception(message, innerException);
