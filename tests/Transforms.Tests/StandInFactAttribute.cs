namespace MlNetBatchNorm.Transforms.Tests;

/// <summary>A test of what the stand-in of ML.NET says where it lacks something. On the real one it is skipped, and says so.</summary>
internal sealed class StandInFactAttribute : FactAttribute
{
    /// <inheritdoc/>
    public override string? Skip => MlNet.IsReal ? "The real ML.NET lacks nothing; run with --packages standin." : null;
}
