using System.Diagnostics;

namespace MlNetBatchNorm.Transforms.Tests.WholePipeline;

/// <summary>A test that asks the ONNX project's own checker (Debian's python3-onnx), with full shape inference.</summary>
internal sealed class OnnxCheckerFactAttribute : FactAttribute
{
    private const string Python = "/usr/bin/python3";

    private const string Script = """
        import sys, onnx
        for path in sys.argv[1:]:
            onnx.checker.check_model(onnx.load(path), full_check=True)
        """;

    public OnnxCheckerFactAttribute()
    {
        if (!File.Exists(Python) || !Directory.Exists("/usr/lib/python3/dist-packages/onnx")) Skip = "The ONNX checker (Debian's python3-onnx) is not installed.";
    }

    /// <summary>Requires the checker to find nothing wrong.</summary>
    public static void Check(params ReadOnlySpan<string> paths)
    {
        var start = new ProcessStartInfo(Python) { RedirectStandardError = true };
        foreach (var argument in (string[])["-c", Script, .. paths]) start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var said = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, said);
    }
}
