using System.Diagnostics;
using MlNetBatchNorm.Onnx.Folding;
using MlNetBatchNorm.Onnx.Tests.Architectures;

namespace MlNetBatchNorm.Onnx.Tests.Folding;

public class OnnxCheckerTests
{
    private const string Python = "/usr/bin/python3";

    [OnnxCheckerFact]
    public void Fold_RandomGraphsAndArchitectures_PassOnnxChecker()
    {
        var random = new Random(7);
        var models = Enumerable.Range(0, 60).Select(_ => RandomGraph.From(Enumerable.Range(0, 20).Select(_ => random.Next(1 << 24)).ToList())).ToList();
        models.AddRange([MobileNetV2.Create(32), DenseNet121.Create(32), DeepPerceptron.Create()]);
        var folder = Directory.CreateTempSubdirectory("onnx-checker");
        try
        {
            for (var i = 0; i < models.Count; i++)
                ModelFile.Write(BatchNormFolder.Fold(models[i], new FoldOptions { Expand = i % 2 == 0 }).Model, Path.Combine(folder.FullName, $"{i:D3}.onnx"));

            // One process for all of them: starting Python takes longer than checking.
            Assert.Equal(string.Empty, Run("import glob, sys, onnx\nfor path in sorted(glob.glob(sys.argv[1] + '/*.onnx')):\n  try: onnx.checker.check_model(path, full_check=True)\n  except Exception as e: print(path, e)", folder.FullName));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string Run(string program, string argument)
    {
        using var process = Process.Start(new ProcessStartInfo(Python, ["-c", program, argument]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : output + error.Result;
    }

    private sealed class OnnxCheckerFactAttribute : FactAttribute
    {
        private static readonly bool InstalledProbe = Installed();

        public OnnxCheckerFactAttribute()
        {
            if (!InstalledProbe) Skip = "onnx.checker (Debian's python3-onnx) is not installed.";
        }

        private static bool Installed() => Directory.Exists("/usr/lib/python3/dist-packages/onnx") && File.Exists(Python);
    }
}
