using System.Diagnostics;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Trainer.Tests.Gradients;

namespace MlNetBatchNorm.Trainer.Tests.Export;

/// <summary>Networks with every kind of layer, exported and folded, in old and new operator sets.</summary>
public class LayerExportTests
{
    private const string Python = "/usr/bin/python3";

    private static readonly Dictionary<string, Network> Networks = new()
    {
        ["residual images"] = Network.Input(2, 8, 8)
            .Conv2d(4, 3).BatchNorm().Activation(Activation.Relu)
            .Residual(body => body.Conv2d(4, 3).BatchNorm().Activation(Activation.Relu).Conv2d(4, 3).BatchNorm(zeroGamma: true))
            .Residual(
                body => body.Conv2d(6, 3, stride: 2).BatchNorm().Activation(Activation.Silu).Conv2d(6, 3, groups: 2).BatchNorm(),
                around => around.Conv2d(6, 1, stride: 2).BatchNorm())
            .Activation(Activation.Relu).GlobalAveragePool().Dense(3),
        ["sequences"] = Network.Input(2, 12)
            .Conv1d(4, 3).BatchNorm().Activation(Activation.Gelu).MaxPool(2).Conv1d(4, 3, groups: 4).BatchNorm().Activation(Activation.Softplus)
            .AveragePool(3, stride: 2, padding: 1).Flatten().Dense(3),
        ["normalized by row"] = Network.Input(4, 6, 6)
            .Conv2d(4, 3).GroupNorm(2).Activation(Activation.LeakyRelu()).MaxPool(3, stride: 2, padding: 1).Flatten()
            .Dense(8).LayerNorm().Activation(Activation.Tanh).Dense(3),
        ["without gamma or beta, in slices, behind the activation"] = Network.Input(5)
            .Dense(8).Activation(Activation.Sigmoid).Add(new BatchNormLayer { Scale = false, GhostBatchSize = 8 })
            .Dense(8).Add(new BatchNormLayer { Center = false }).Dropout(0.2f).Dense(3),
        ["in front of a padded convolution"] = Network.Input(2, 8, 8).BatchNorm().Conv2d(3, 3).GlobalAveragePool().Dense(3),
    };

    public static TheoryData<string, int> Cases
    {
        get
        {
            var cases = new TheoryData<string, int>();
            foreach (var name in Networks.Keys)
                foreach (var opset in new[] { 9, 12, 13, 17, 18, 21 }) cases.Add(name, opset);
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Export_FoldedAndUnfolded_AgreeInOnnxRuntime(string name, int opset)
    {
        var exported = Export(name, opset, epochs: 3);
        GraphChecker.Check(exported.Unfolded);
        GraphChecker.Check(exported.Folded);
        Assert.DoesNotContain(exported.Folded.Graph.Node, node => node.OpType == "BatchNormalization");
        Assert.InRange(exported.Verification.LargestRelative, 0, 1e-5);
    }

    [OnnxCheckerFact]
    public void Export_FoldedAndUnfolded_PassOnnxChecker()
    {
        var folder = Directory.CreateTempSubdirectory("onnx-checker");
        try
        {
            // Debian's onnx knows operator sets up to 17.
            foreach (var name in Networks.Keys)
                foreach (var opset in new[] { 9, 12, 13, 17 })
                {
                    var exported = Export(name, opset, epochs: 1);
                    ModelFile.Write(exported.Unfolded, Path.Combine(folder.FullName, $"{name} {opset} unfolded.onnx"));
                    ModelFile.Write(exported.Folded, Path.Combine(folder.FullName, $"{name} {opset} folded.onnx"));
                }

            // One process for all of them: starting Python takes longer than checking.
            const string program = """
                import glob, sys, onnx
                for path in sorted(glob.glob(sys.argv[1] + '/*.onnx')):
                    try: onnx.checker.check_model(path, full_check=True)
                    except Exception as error: print(path, error)
                """;
            var start = new ProcessStartInfo(Python, ["-c", program, folder.FullName]) { RedirectStandardOutput = true };
            using var process = Process.Start(start)!;
            Assert.Equal(string.Empty, process.StandardOutput.ReadToEnd());
            process.WaitForExit();
            Assert.Equal(0, process.ExitCode);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static ExportedNetwork Export(string name, int opset, int epochs)
    {
        var network = Networks[name];
        var random = new Random(11);
        const int count = 48;
        var targets = new float[count * 3];
        for (var row = 0; row < count; row++) targets[(row * 3) + random.Next(3)] = 1;
        var rows = new LabeledRows(network.InputShape, 3, GradientCheck.Values(random, count * (int)network.InputShape.Count), targets);
        var options = new TrainingOptions { Epochs = epochs, BatchSize = 16, ValidationFraction = 0.25, Standardize = false };
        return NetworkExporter.Export(NetworkTrainer.Train(network, Loss.SoftmaxCrossEntropy, rows, options), rows, new ExportOptions { Opset = opset });
    }

    private sealed class OnnxCheckerFactAttribute : FactAttribute
    {
        public OnnxCheckerFactAttribute()
        {
            if (!(Directory.Exists("/usr/lib/python3/dist-packages/onnx") && File.Exists(Python))) Skip = "onnx.checker (Debian's python3-onnx) is not installed.";
        }
    }
}
