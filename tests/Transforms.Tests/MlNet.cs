using Microsoft.ML;

namespace MlNetBatchNorm.Transforms.Tests;

/// <summary>Which ML.NET the tests run on.</summary>
internal static class MlNet
{
    /// <summary>Whether it is the real one, whose assemblies are signed, and not the repository's stand-in.</summary>
    public static bool IsReal { get; } = typeof(MLContext).Assembly.GetName().GetPublicKeyToken() is { Length: > 0 };
}
