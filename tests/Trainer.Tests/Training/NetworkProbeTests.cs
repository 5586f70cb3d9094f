using MlNetBatchNorm.Trainer.Tests.Fixtures;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Trainer.Tests.Training;

/// <summary>What is seen inside a network, against PyTorch (Fixtures/generate.py) and against numbers worked out by hand.</summary>
public class NetworkProbeTests
{
    private const double OneStep = 1e-5;
    private const double HundredSteps = 1e-3;

    public static TheoryData<string> Cases => [.. PyTorchCase.Names.Where(name => PyTorchCase.Read(name).RowWeights is null)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Read_AsInTraining_GivesPyTorchsOutputLossAndGradients(string name)
    {
        var expected = PyTorchCase.Read(name);
        var network = expected.CreateNetwork();
        using var step = expected.CreateStep();
        using var probe = new NetworkProbe(network, expected.CreateLoss());

        var reading = Read(expected, probe, step, expected.Batch);

        Assert.Equal(expected.FirstLoss, reading.Loss, OneStep * expected.FirstLoss);
        double[] output = Array.ConvertAll(expected.TrainingOutput, value => (double)value);
        Closeness.Require(output, reading.Activations[network.Sites[^1].Name], OneStep, "The output");
        foreach (var (parameter, gradient) in expected.Gradients)
            Closeness.Require(gradient, reading.Gradients[parameter], OneStep, $"The gradient of {parameter}");
        Assert.Equal(network.AllSites.Select(site => site.Name).Order(), reading.Activations.Keys.Order());
        Assert.All(network.AllSites, site => Assert.Equal(expected.Batch * site.Output.Count, reading.Gradients[site.Name].Length));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Read_AtInference_GivesPyTorchsOutput(string name)
    {
        var expected = PyTorchCase.Read(name);
        var network = expected.CreateNetwork();
        using var step = expected.CreateStep();
        expected.Run(step, 100);
        using var probe = new NetworkProbe(network, expected.CreateLoss(), ProbeMode.Inference);

        var reading = Read(expected, probe, step, expected.Rows);

        Closeness.Require(expected.InferenceOutput, reading.Activations[network.Sites[^1].Name], HundredSteps, "The output");
        Assert.Empty(reading.BatchStatistics);
    }

    [Fact]
    public void Read_AtInference_HasTheGradientsOfFrozenStatistics()
    {
        // PyTorch's layer in eval(), while the others train: what every batch normalization is at inference.
        var expected = PyTorchCase.Read("frozen-sgd");
        var layers = Array.ConvertAll(expected.Layers, layer => layer.Replace(" frozen=yes", string.Empty, StringComparison.Ordinal));
        Assert.NotEqual(expected.Layers, layers);

        // A bias stays in front of a frozen one, and has its gradient.
        layers = Array.ConvertAll(layers, layer => layer.StartsWith("dense", StringComparison.Ordinal) ? $"{layer} bias=yes" : layer);
        using var step = expected.CreateStep();
        using var probe = new NetworkProbe(
            Network.Parse(string.Join('\n', layers), expected.Shape), expected.CreateLoss(), ProbeMode.Inference);

        var reading = Read(expected, probe, step, expected.Batch);

        Assert.Equal(expected.FirstLoss, reading.Loss, OneStep * expected.FirstLoss);
        foreach (var (parameter, gradient) in expected.Gradients)
            Closeness.Require(gradient, reading.Gradients[parameter], OneStep, $"The gradient of {parameter}");
    }

    [Fact]
    public void Read_WithoutLoss_TakesTheGradientBehindTheLastLayer()
    {
        // Two rows through [1, −1; 2, 1] and a relu: (1, 1)·W = (3, 0) and (−1, 1)·W = (1, 2).
        var network = Network.Input(2).Dense(2, bias: false).Relu();
        using var probe = new NetworkProbe(network, loss: null);

        var reading = probe.Read(_ => [1, -1, 2, 1], [1, 1, -1, 1], [5, 7, 11, 13], 2);

        Assert.Equal([3, 0, 1, 2], reading.Activations["dense1"]);
        Assert.Equal([3, 0, 1, 2], reading.Activations["relu1"]);
        Assert.Equal([5, 7, 11, 13], reading.Gradients["relu1"]);

        // Nothing comes back through a unit that gives 0.
        Assert.Equal([5, 0, 11, 13], reading.Gradients["dense1"]);

        // xᵀ·dy
        Assert.Equal([5 - 11, -13, 5 + 11, 13], reading.Gradients["dense1.weight"]);
        Assert.True(double.IsNaN(reading.Loss));
    }

    [Fact]
    public void Read_BatchStatistics_AreThoseOfTheRows()
    {
        var network = Network.Input(2).BatchNorm().Dense(1);
        using var probe = new NetworkProbe(network, Loss.SquaredError);

        var reading = probe.Read(
            name => name == "dense1.weight" ? [1, 1] : name == "batchnorm1.gamma" ? [1, 1] : name == "dense1.bias" ? [0] : [0, 0],
            [1, 10, 2, 30, 6, 20],
            [0, 0, 0],
            3);

        Assert.Equal([3, 20], reading.BatchStatistics["batchnorm1.mean"]);
        Closeness.Require([7, 100], reading.BatchStatistics["batchnorm1.variance"], OneStep, "The variance");
    }

    [Fact]
    public void Read_ResidualBlockAndEnsemble_NameTheLayersInside()
    {
        var residual = Network.Input(3).Residual(block => block.Dense(3).BatchNorm()).Relu().Dense(2);
        using (var training = new SteppedTraining(residual, Loss.SoftmaxCrossEntropy, Rows(3, 2, 12), Options()))
        using (var probe = new NetworkProbe(residual, Loss.SoftmaxCrossEntropy))
        {
            var reading = probe.Read(training.Parameter, Rows(3, 2, 12));
            var x = Rows(3, 2, 12).FeatureArray;
            var inside = reading.Activations["residual1/batchnorm1"];
            Assert.Equal(x.Zip(inside, (one, other) => one + other), reading.Activations["residual1"]);

            // A sum hands its gradient on as it is.
            Assert.Equal(reading.Gradients["residual1"], reading.Gradients["residual1/batchnorm1"]);
        }

        var ensemble = Network.Input(3).Members(4, member => member.Dense(5).BatchNorm().Relu().Dense(2));
        using (var training = new SteppedTraining(ensemble, Loss.SoftmaxCrossEntropy, Rows(3, 2, 12), Options()))
        using (var probe = new NetworkProbe(ensemble, Loss.SoftmaxCrossEntropy))
        {
            var first = training.Parameters();
            var reading = probe.Read(training.Parameter, Rows(3, 2, 12));
            var relu = Assert.Single(reading.Activations.Keys, name => name.EndsWith("relu1", StringComparison.Ordinal));
            Assert.Equal(12 * 4 * 5, reading.Activations[relu].Length);

            // The step that training makes on the same rows.
            Assert.Equal(training.Advance(1), reading.Loss, 1e-6);
            Assert.All(first, parameter => Assert.True(
                !reading.Gradients.TryGetValue(parameter.Key, out var gradient)
                || Differs(parameter.Value, gradient, training.Parameter(parameter.Key)) < 1e-6));
        }

        static double Differs(float[] before, float[] gradient, float[] after) => before
            .Select((value, i) => Math.Abs(value - (0.1 * gradient[i]) - after[i])).Max();
    }

    private static TrainingOptions Options() => new() { BatchSize = 12, Optimizer = Optimizer.Sgd(0.1f) };

    private static TrainingData Rows(int features, int classes, int count)
    {
        var random = new Random(5);
        var targets = new float[count * classes];
        for (var row = 0; row < count; row++) targets[(row * classes) + random.Next(classes)] = 1;
        float[] values = [.. Enumerable.Range(0, count * features).Select(_ => random.NextSingle() - 0.5f)];
        return new TrainingData(new SampleShape(features), classes, values, targets);
    }

    private static ProbeReading Read(PyTorchCase given, NetworkProbe probe, TrainingStep step, int rows) => probe.Read(
        name => step.Parameter(name).ToArray(),
        given.X[..(rows * given.X.Length / given.Rows)],
        given.Targets[..(rows * given.Outputs)],
        rows);
}
