using Microsoft.ML;

namespace MlNetBatchNorm.Transforms.Tests;

/// <summary>A test of what only the real ML.NET can do. On the stand-in it is skipped, and says so.</summary>
internal sealed class RealMlNetFactAttribute : FactAttribute
{
    // The stand-in is a single assembly; the real one keeps its context in Microsoft.ML.Data.
    public static readonly bool IsReal = typeof(MLContext).Assembly.GetName().Name != "Microsoft.ML";

    public RealMlNetFactAttribute()
    {
        if (!IsReal) Skip = "The stand-in of ML.NET has no ONNX converter; run with --packages nuget.";
    }
}
