using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Tests.Referees;
using MlNetBatchNorm.Trainer.Results;
using MlNetBatchNorm.Trainer.Tests.Fixtures;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Trainer.Tests.Layers;

/// <summary>The ONNX project's own vectors for BatchNormalization: <c>[2, 3, 4, 5]</c>, with the default and another epsilon.</summary>
public class BatchNormOnnxTestDataTests
{
    private const int Channels = 3;

    /// <summary>
    /// All locations of a channel are normalized jointly (Ioffe and Szegedy 2015, section 3.2), so an image is N·H·W rows of C features.
    /// ONNX's rule for the running statistics is Keras's: momentum is the weight of the old value, the variance is the biased one.
    /// </summary>
    [OnnxTestDataTheory]
    [InlineData("test_batchnorm_example_training_mode")]
    [InlineData("test_batchnorm_epsilon_training_mode")]
    public void Train_OnnxVectors_GivesTheirOutputsAndRunningStatistics(string name)
    {
        var (epsilon, input, output) = Read(name);
        var rows = ToRows(input[0]);
        var count = rows.Length / Channels;
        var expected = ToRows(output[0]);
        using var step = new TrainingStep(
            Network.Input(Channels).BatchNorm(epsilon), new DotProductLoss(), Optimizer.Sgd(),
            RunningStatistics.Keras(0.9f), count, new Random(0));
        string[] parameters = ["gamma", "beta", "mean", "variance"];
        rows.CopyTo(step.Features.Span);

        var y = new float[rows.Length];
        for (var i = 0; i < y.Length; i++)
        {
            for (var p = 0; p < parameters.Length; p++) input[p + 1].CopyTo(step.Parameter($"batchnorm1.{parameters[p]}"));
            step.Targets.Span.Clear();
            // The mean over the rows of a dot product with a single 1: one output over the number of rows.
            step.Targets.Span[i] = 1;
            y[i] = count * step.Run(count, 0.1f);
        }

        Closeness.Require(Doubles(expected), y, 1e-5, "The output");
        Closeness.Require(Doubles(output[1]), step.Parameter("batchnorm1.mean"), 1e-5, "The running mean");
        Closeness.Require(Doubles(output[2]), step.Parameter("batchnorm1.variance"), 1e-5, "The running variance");
    }

    [OnnxTestDataTheory]
    [InlineData("test_batchnorm_example")]
    [InlineData("test_batchnorm_epsilon")]
    public void Export_OnnxVectors_GivesTheirOutputsUnfoldedAndFolded(string name)
    {
        var (epsilon, input, output) = Read(name);
        // A dense layer that changes nothing, for the batch normalization to fold into.
        var network = Network.Input(Channels).Dense(Channels).BatchNorm(epsilon);
        var parameters = new Dictionary<string, float[]>
        {
            ["dense1.weight"] = [1, 0, 0, 0, 1, 0, 0, 0, 1],
            ["batchnorm1.gamma"] = input[1],
            ["batchnorm1.beta"] = input[2],
            ["batchnorm1.mean"] = input[3],
            ["batchnorm1.variance"] = input[4],
        };
        var trained = new TrainedNetwork(network, Loss.SquaredError, parameters, null, RunningStatistics.Keras(0.9f), [], Device.Cpu);
        var rows = ToRows(input[0]);
        var count = rows.Length / Channels;

        var export = NetworkExporter.Export(trained, new TrainingData(new SampleShape(Channels), Channels, rows, new float[rows.Length]));

        Assert.DoesNotContain(export.Folded.Proto.Graph.Node, node => node.OpType == "BatchNormalization");
        foreach (var model in new[] { export.Unfolded, export.Folded })
        {
            using var session = OnnxSession.Load(model.Proto);
            var score = session.Run(
                new Dictionary<string, HostTensor> { [TrainedNetwork.FeaturesInput] = HostTensor.Of(rows, count, Channels) });
            Closeness.Require(Doubles(ToRows(output[0])), (float[])score[TrainedNetwork.ScoreOutput].Data, 1e-5, "The score");
        }
    }

    private static (float Epsilon, float[][] Input, float[][] Output) Read(string name)
    {
        var folder = Path.Combine(OnnxTestData.Root, "node", name);
        var node = ModelFile.Read(Path.Combine(folder, "model.onnx")).Graph.Node[0];
        var epsilon = node.Attribute.FirstOrDefault(attribute => attribute.Name == "epsilon")?.F ?? 1e-5f;
        return (epsilon, Tensors("input"), Tensors("output"));

        float[][] Tensors(string kind) =>
            [.. Enumerable.Range(0, 5)
                .Select(index => Path.Combine(folder, "test_data_set_0", $"{kind}_{index}.pb"))
                .Where(File.Exists)
                .Select(file => TensorData.ToDoubles(TensorProto.Parser.ParseFrom(File.ReadAllBytes(file))))
                .Select(values => Array.ConvertAll(values, value => (float)value))];
    }

    // [N, C, H, W] to [N·H·W, C]
    private static float[] ToRows(float[] images)
    {
        const int Images = 2, Positions = 20;
        var rows = new float[images.Length];
        for (var image = 0; image < Images; image++)
            for (var channel = 0; channel < Channels; channel++)
                for (var position = 0; position < Positions; position++)
                    rows[(((image * Positions) + position) * Channels) + channel] =
                        images[(((image * Channels) + channel) * Positions) + position];
        return rows;
    }

    private static double[] Doubles(float[] values) => Array.ConvertAll(values, value => (double)value);

    /// <summary>Σ y·t, with which a test can look at the outputs one at a time.</summary>
    private sealed record DotProductLoss : Loss
    {
        private protected override string Text => Kind;

        internal override string Kind => "dot product";

        internal override Value RowLoss(GraphBuilder nodes, Value output, Value target) =>
            nodes.Node("ReduceSum", [nodes.Node("Mul", [output, target]), nodes.Integers(1)], ("keepdims", 1));

        internal override Value RowGradient(GraphBuilder nodes, Value output, Value target) => target;
    }
}
