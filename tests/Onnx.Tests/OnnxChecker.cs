using System.Diagnostics;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Tests;

/// <summary>The ONNX project's own checker, with full shape and type inference (Debian's python3-onnx).</summary>
internal static class OnnxChecker
{
    private const string Python = "/usr/bin/python3";

    private const string Program = """
        import glob, sys, onnx
        for path in sorted(glob.glob(sys.argv[1] + '/*.onnx')):
          try: onnx.checker.check_model(path, full_check=True)
          except Exception as e: print(path, e)
        """;

    public static bool IsInstalled { get; } = Directory.Exists("/usr/lib/python3/dist-packages/onnx") && File.Exists(Python);

    /// <summary>What the checker finds wrong; empty when all is well. One process for all models: starting Python takes longer than checking.</summary>
    public static string Check(IEnumerable<ModelProto> models)
    {
        var folder = Directory.CreateTempSubdirectory("onnx-checker");
        try
        {
            foreach (var (index, model) in models.Index()) ModelFile.Write(model, Path.Combine(folder.FullName, $"{index:D3}.onnx"));
            using var process = Process.Start(new ProcessStartInfo(Python, ["-c", Program, folder.FullName]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var error = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? output : output + error.Result;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
