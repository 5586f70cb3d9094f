using System.Diagnostics;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Trainer.Tests.Export;

/// <summary>Exported and folded graphs before the ONNX project's own checker (Debian's python3-onnx), with full shape inference.</summary>
public class OnnxCheckerTests
{
    private const string Python = "/usr/bin/python3";

    // onnx 1.12 knows operator sets up to 17.
    private static readonly int[] Opsets = [9, 11, 13, 15, 17];

    private const string Script = """
        import pathlib, sys, onnx
        bad = 0
        for path in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
            try:
                onnx.checker.check_model(onnx.load(str(path)), full_check=True)
            except Exception as error:
                bad += 1
                print(path.name + ": " + str(error).strip().splitlines()[0])
        sys.exit(1 if bad else 0)
        """;

    [OnnxCheckerFact]
    public void Export_EveryKindOfNetwork_PassesTheChecker()
    {
        var folder = Directory.CreateTempSubdirectory("onnx-checker-");
        try
        {
            foreach (var (name, model) in Models()) ModelFile.Write(model, Path.Combine(folder.FullName, $"{name}.onnx"));
            var start = new ProcessStartInfo(Python) { RedirectStandardOutput = true };
            start.ArgumentList.Add("-c");
            start.ArgumentList.Add(Script);
            start.ArgumentList.Add(folder.FullName);
            using var process = Process.Start(start)!;
            var said = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, said);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static IEnumerable<(string Name, ModelProto Model)> Models()
    {
        Activation[] activations = [Activation.Relu, Activation.LeakyRelu(), Activation.Sigmoid, Activation.Tanh, Activation.Identity];
        (Loss Loss, int Outputs)[] losses = [(Loss.SigmoidCrossEntropy, 1), (Loss.SoftmaxCrossEntropy, 3), (Loss.SquaredError, 2)];
        var rows = new LabeledRows(new SampleShape(4), 1, [1, 2, 3, 4, 4, 3, 2, 1, 0, 5, 0, 5], [0, 1, 0]);
        foreach (var opset in Opsets)
        {
            foreach (var (loss, outputs) in losses)
            {
                foreach (var activation in activations)
                {
                    var placement = opset % 4 == 1 ? BatchNormPlacement.BeforeActivation : BatchNormPlacement.AfterActivation;
                    var network = Network.ForTable(4, [6, 5], outputs, activation, placement: placement, dropout: 0.2f);
                    var random = new Random(1);
                    var parameters = network.Parameters.ToDictionary(
                        parameter => parameter.Name,
                        parameter => Enumerable.Range(0, parameter.Count).Select(_ => 0.5f + random.NextSingle()).ToArray());
                    var trained = new TrainedNetwork(
                        network, loss, parameters, Standardization.Fit(rows, clip: 5), RunningStatistics.PyTorch(), [], Device.Cpu);
                    var export = NetworkExporter.Export(trained, rows, new ExportOptions { Opset = opset });
                    var name = $"opset{opset}-{loss.Kind}-{activation.Kind}";
                    yield return (name, export.Unfolded);
                    yield return ($"{name}-folded", export.Folded);
                }
            }
        }
    }

    private sealed class OnnxCheckerFactAttribute : FactAttribute
    {
        private static readonly bool Installed = File.Exists(Python) && Directory.Exists("/usr/lib/python3/dist-packages/onnx");

        public OnnxCheckerFactAttribute()
        {
            if (!Installed) Skip = "The ONNX checker (Debian's python3-onnx) is not installed.";
        }
    }
}
