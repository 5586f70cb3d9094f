using Microsoft.Extensions.Logging;

namespace MlNetBatchNorm.Hosting;

/// <summary>What a scorer writes to the log.</summary>
internal static partial class ScorerLog
{
    [LoggerMessage(1, LogLevel.Information, "Model {Path} loaded on {Device}: {Shapes} (generation {Generation}).")]
    public static partial void ModelLoaded(this ILogger logger, string path, string device, string shapes, int generation);

    [LoggerMessage(2, LogLevel.Warning, "Not reloaded: {Reason} The model loaded at {LoadedAt:O} goes on.")]
    public static partial void ReloadRefused(this ILogger logger, Exception? exception, string reason, DateTimeOffset loadedAt);
}
