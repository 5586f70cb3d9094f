using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Tests.Referees;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Results;

namespace MlNetBatchNorm.Trainer.Tests.Export;

/// <summary>Exported and folded graphs before the ONNX project's own checker (Debian's python3-onnx), with full shape inference.</summary>
public class OnnxCheckerTests
{
    // Every other one: each version in which an operator of ours changed is beside one of these.
    private static readonly int[] Opsets = [9, 11, 13, 15, OnnxChecker.NewestOpset];

    [OnnxCheckerFact]
    public void Export_EveryKindOfNetwork_PassesTheChecker() => OnnxChecker.Require(Models());

    private static IEnumerable<(string Name, ModelProto Model)> Models()
    {
        Activation[] activations = [Activation.Relu, Activation.LeakyRelu(), Activation.Sigmoid, Activation.Tanh, Activation.Identity];
        (Loss Loss, int Outputs)[] losses = [(Loss.SigmoidCrossEntropy, 1), (Loss.SoftmaxCrossEntropy, 3), (Loss.SquaredError, 2)];
        var rows = new TrainingData(new SampleShape(4), 1, [1, 2, 3, 4, 4, 3, 2, 1, 0, 5, 0, 5], [0, 1, 0]);
        foreach (var opset in Opsets)
        {
            foreach (var (loss, outputs) in losses)
            {
                foreach (var activation in activations)
                {
                    var placement = opset % 4 == 1 ? BatchNormPlacement.BeforeActivation : BatchNormPlacement.AfterActivation;
                    var network = Network.FeedForward(4, [6, 5], outputs, activation, placement: placement, dropout: 0.2f);
                    var random = new Random(1);
                    var parameters = network.Parameters.ToDictionary(
                        parameter => parameter.Name,
                        parameter => Enumerable.Range(0, parameter.Count).Select(_ => 0.5f + random.NextSingle()).ToArray());
                    var trained = new TrainedNetwork(
                        network, loss, parameters, Standardization.Fit(rows, clip: 5), RunningStatistics.PyTorch(), [], Device.Cpu);
                    var export = NetworkExporter.Export(trained, rows, new NetworkExportOptions { Opset = opset });
                    var name = $"opset{opset}-{loss.Kind}-{activation.Kind}";
                    yield return (name, export.Unfolded.Proto);
                    yield return ($"{name}-folded", export.Folded.Proto);
                }
            }
        }
    }
}
