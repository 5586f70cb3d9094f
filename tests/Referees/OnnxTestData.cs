namespace MlNetBatchNorm.Tests.Referees;

/// <summary>The ONNX project's own test data: models with inputs and outputs (Debian's libonnx-testdata).</summary>
internal static class OnnxTestData
{
    public const string Root = "/usr/share/libonnx-testdata/data";

    /// <summary>Why a test cannot run; null where it can.</summary>
    public static string? Missing => Directory.Exists(Root) ? null : "The ONNX test data (Debian's libonnx-testdata) is not installed.";
}
