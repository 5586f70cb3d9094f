namespace MlNetBatchNorm.Transforms.Tests;

/// <summary>A test of what only the real ML.NET can do. On the stand-in it is skipped, and says so.</summary>
/// <param name="reason">What the stand-in lacks.</param>
internal sealed class RealMlNetFactAttribute(string reason = "The stand-in of ML.NET has no ONNX converter; run with --packages nuget.") : FactAttribute
{
    /// <inheritdoc/>
    public override string? Skip => MlNet.IsReal ? null : reason;
}
