using System.Diagnostics;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Tests.Referees;

/// <summary>The ONNX project's own checker with full shape inference (Debian's python3-onnx, 1.12).</summary>
internal static class OnnxChecker
{
    /// <summary>The newest operator set that it knows.</summary>
    public const int NewestOpset = 17;

    private const string Python = "/usr/bin/python3";

    // What it prints is what it finds wrong.
    private const string Program = """
        import pathlib, sys, onnx
        for path in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
            try:
                onnx.checker.check_model(str(path), full_check=True)
            except Exception as error:
                print(path.name + ": " + str(error).strip().splitlines()[0])
        """;

    public static bool IsInstalled { get; } = File.Exists(Python) && Directory.Exists("/usr/lib/python3/dist-packages/onnx");

    /// <summary>Fails unless every model passes. One process checks them all: starting Python takes longer than checking.</summary>
    public static void Require(IEnumerable<(string Name, ModelProto Model)> models)
    {
        var folder = Directory.CreateTempSubdirectory("onnx-checker-");
        try
        {
            var count = 0;
            foreach (var (name, model) in models) ModelFile.Write(model, Path.Combine(folder.FullName, $"{count++:D4} {name}.onnx"));
            Assert.True(count > 0);
            using var process = Process.Start(
                new ProcessStartInfo(Python, ["-c", Program, folder.FullName])
                {
                    RedirectStandardOutput = true,
                    RedirectStandardError = true,
                })!;
            var error = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, error.Result);
            Assert.Equal(string.Empty, output);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
