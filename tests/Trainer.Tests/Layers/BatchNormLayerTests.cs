using MlNetBatchNorm.Trainer.Layers;
using MlNetBatchNorm.Trainer.Tests.Gradients;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Trainer.Tests.Layers;

public class BatchNormLayerTests
{
    // A large epsilon keeps the differences tame where a random channel has next to no variance.
    private const float Epsilon = 1e-2f;

    public static TheoryData<bool, bool> Options => new() { { true, true }, { true, false }, { false, true }, { false, false } };

    [Theory]
    [MemberData(nameof(Options))]
    public void Train_RandomShapes_AgreesWithFiniteDifferences(bool scale, bool center)
    {
        var layer = new BatchNormLayer { Epsilon = Epsilon, Scale = scale, Center = center };
        RandomShapes.ForAll(test => GradientCheck.Holds(
            layer,
            test.Shape,
            test.Rows,
            test.Seed,
            (x, parameters) => BatchNormEquations.Train(x, test.Shape, layer, parameters),
            (x, parameters) => BatchNormEquations.Infer(x, test.Shape, layer, parameters)));
    }

    [Theory]
    [MemberData(nameof(Options))]
    public void Train_Frozen_AgreesWithFiniteDifferences(bool scale, bool center)
    {
        var layer = new BatchNormLayer { Epsilon = Epsilon, Frozen = true, Scale = scale, Center = center };
        RandomShapes.ForAll(test => GradientCheck.Holds(
            layer, test.Shape, test.Rows, test.Seed, (x, parameters) => BatchNormEquations.Infer(x, test.Shape, layer, parameters)));
    }

    [Theory]
    [InlineData(8, 4, new[] { 0, 0, 0, 0, 1, 1, 1, 1 })]
    [InlineData(7, 2, new[] { 0, 0, 0, 1, 1, 2, 2 })]
    [InlineData(5, 3, new[] { 0, 0, 0, 1, 1 })]
    [InlineData(3, 2, new[] { 0, 0, 0 })]
    [InlineData(3, 64, new[] { 0, 0, 0 })]
    public void Train_Ghost_NormalizesEachSliceByItself(int rows, int ghostBatchSize, int[] sliceOfRow)
    {
        var layer = new BatchNormLayer { Epsilon = Epsilon, GhostBatchSize = ghostBatchSize };
        foreach (var shape in new[] { new SampleShape(3), new SampleShape(2, 3), new SampleShape(2, 2, 3) })
            GradientCheck.Holds(
                layer,
                shape,
                rows,
                seed: rows,
                (x, parameters) => BatchNormEquations.Train(x, shape, layer, parameters, sliceOfRow),
                (x, parameters) => BatchNormEquations.Infer(x, shape, layer, parameters));
    }

    [Fact]
    public void SliceCount_AnyBatch_LeavesNoSliceOfOneRow()
    {
        for (var size = 2; size <= 20; size++)
            for (var rows = 2; rows <= 200; rows++)
                Assert.True(rows / GhostSlices.SliceCount(rows, size) >= 2, $"{rows} rows, slices of {size}");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Train_BatchStatistics_AreMeanAndVarianceOfTheChannel(bool unbiased)
    {
        foreach (var shape in new[] { new SampleShape(3), new SampleShape(2, 4), new SampleShape(2, 3, 2) })
        {
            using var probe = new LayerProbe(new BatchNormLayer(), shape, unbiased);
            const int rows = 5;
            var x = GradientCheck.Values(new Random(3), rows * (int)shape.Count);
            var batch = Run(probe, rows, x);
            for (var channel = 0; channel < shape.Channels; channel++)
            {
                var values = BatchNormEquations.Indexes(shape, rows, channel).Select(index => (double)x[index]).ToArray();
                var mean = values.Average();
                var squares = values.Sum(value => (value - mean) * (value - mean));
                Assert.Equal(mean, batch["batch.batchnorm1.mean"][channel], 1e-5);
                Assert.Equal(squares / (unbiased ? values.Length - 1 : values.Length), batch["batch.batchnorm1.variance"][channel], 1e-5);
            }
        }
    }

    [Fact]
    public void Train_GhostStatistics_AreTheMeanOfTheSlices()
    {
        using var probe = new LayerProbe(new BatchNormLayer { GhostBatchSize = 2 }, new SampleShape(1), unbiasedVariance: true);
        var batch = Run(probe, 4, [1, 3, 10, 14]);
        Assert.Equal(7f, batch["batch.batchnorm1.mean"][0], 1e-5f);
        Assert.Equal((2f + 8f) / 2, batch["batch.batchnorm1.variance"][0], 1e-5f);
    }

    [Fact]
    public void Train_ConstantFeature_GivesBeta()
    {
        foreach (var shape in new[] { new SampleShape(2), new SampleShape(2, 3, 3) })
        {
            using var probe = new LayerProbe(new BatchNormLayer(), shape);
            var x = new float[4 * (int)shape.Count];
            Array.Fill(x, 1234.5f);
            var outputs = probe.Train(4, x, GradientCheck.Values(new Random(1), x.Length), Parameters(probe, beta: 0.25f));
            Assert.All(outputs["y"], value => Assert.Equal(0.25f, value, 1e-5f));
            Assert.All(outputs.Values.SelectMany(values => values), value => Assert.True(float.IsFinite(value)));
        }
    }

    [Theory]
    [InlineData(32, 1)]
    [InlineData(128, 1)]
    [InlineData(1024, 1)]
    [InlineData(16, 64)]
    public void Train_LargeMean_KeepsFourDigits(int rows, int positions)
    {
        var shape = positions == 1 ? new SampleShape(8) : new SampleShape(8, positions);
        using var probe = new LayerProbe(new BatchNormLayer(), shape);
        var x = Array.ConvertAll(GradientCheck.Values(new Random(5), rows * (int)shape.Count), value => value + 1e4f);
        var outputs = Run(probe, rows, x);
        var exact = BatchNormEquations.Train(
            Array.ConvertAll(x, value => (double)value), shape, new BatchNormLayer(), new Dictionary<string, double[]>());
        GradientCheck.Close("y", exact, outputs["y"], 1e-4);
        for (var channel = 0; channel < shape.Channels; channel++)
        {
            var values = BatchNormEquations.Indexes(shape, rows, channel).Select(index => (double)x[index]).ToArray();
            var mean = values.Average();
            Assert.Equal(1, outputs["batch.batchnorm1.variance"][channel] / values.Average(value => (value - mean) * (value - mean)), 1e-4);
            Assert.Equal(1, outputs["batch.batchnorm1.mean"][channel] / mean, 1e-6);
        }
    }

    [Theory]
    [InlineData(32)]
    [InlineData(128)]
    [InlineData(1024)]
    public void Train_LargeMeanBehindADenseLayer_KeepsFourDigits(int rows)
    {
        // The dense layer gives 1e4 + x, so what is normalized is known exactly: the sum in float32.
        const int units = 8;
        using var probe = new LayerProbe(Network.Input(units).Dense(units, bias: true).BatchNorm());
        var x = GradientCheck.Values(new Random(5), rows * units);
        var parameters = Parameters(probe);
        parameters["dense1.weight"] = [.. Enumerable.Range(0, units * units).Select(i => i % (units + 1) == 0 ? 1f : 0)];
        parameters["dense1.bias"] = [.. Enumerable.Repeat(1e4f, units)];
        parameters["batchnorm1.beta"] = new float[units];
        var shape = new SampleShape(units);
        var exact = BatchNormEquations.Train(
            Array.ConvertAll(x, value => (double)(value + 1e4f)), shape, new BatchNormLayer(), new Dictionary<string, double[]>());
        GradientCheck.Close("y", exact, probe.Train(rows, x, new float[x.Length], parameters)["y"], 1e-4);
    }

    [Theory]
    [InlineData(-1f, null, false, "Epsilon")]
    [InlineData(1e-5f, 1, false, "at least 2 rows")]
    [InlineData(1e-5f, null, true, "no gamma")]
    public void Add_UselessOption_SaysWhatIsWrong(float epsilon, int? ghostBatchSize, bool zeroGammaWithoutScale, string expected)
    {
        var layer = new BatchNormLayer
        {
            Epsilon = epsilon,
            GhostBatchSize = ghostBatchSize,
            ZeroGamma = zeroGammaWithoutScale,
            Scale = !zeroGammaWithoutScale,
        };
        Assert.Contains(expected, Assert.Throws<ArgumentException>(() => Network.Input(3).Add(layer)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_OneValueForEachChannel_IsAnError()
    {
        using var step = new TrainingStep(
            Network.Input(2).Dense(3).BatchNorm().Dense(1), Loss.SquaredError, Optimizer.Sgd(),
            RunningStatistics.PyTorch(), 4, new Random(1));
        Assert.Contains(
            "one value for each channel", Assert.Throws<ArgumentException>(() => step.Run(1, 0.1f)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Step_Frozen_KeepsTheRunningStatistics()
    {
        var network = Network.Input(2).Add(new BatchNormLayer { Frozen = true }).Dense(1);
        using var step = new TrainingStep(network, Loss.SquaredError, Optimizer.Sgd(), RunningStatistics.PyTorch(), 4, new Random(1));
        GradientCheck.Values(new Random(1), 8).CopyTo(step.Features.Span);
        step.Targets.Span.Fill(1);
        for (var i = 0; i < 3; i++) step.Run(4, 0.1f);
        Assert.Equal([0f, 0f], step.Parameter("batchnorm1.mean").ToArray());
        Assert.Equal([1f, 1f], step.Parameter("batchnorm1.variance").ToArray());
        Assert.NotEqual([1f, 1f], step.Parameter("batchnorm1.gamma").ToArray());
    }

    [Fact]
    public void Parameters_ZeroGamma_StartsAtZero()
    {
        using var step = new TrainingStep(
            Network.Input(2).BatchNorm(zeroGamma: true).Dense(1), Loss.SquaredError, Optimizer.Sgd(),
            RunningStatistics.PyTorch(), 4, new Random(1));
        Assert.Equal([0f, 0f], step.Parameter("batchnorm1.gamma").ToArray());
    }

    [Fact]
    public void Parameters_LayerBeforeBatchNorm_HasNoBiasUnlessFrozen()
    {
        Assert.DoesNotContain(Network.Input(2).Dense(3).BatchNorm().Parameters, parameter => parameter.Name == "dense1.bias");
        Assert.Contains(
            Network.Input(2).Dense(3).Add(new BatchNormLayer { Frozen = true }).Parameters, parameter => parameter.Name == "dense1.bias");
    }

    private static IReadOnlyDictionary<string, float[]> Run(LayerProbe probe, int rows, float[] x) =>
        probe.Train(rows, x, new float[rows * (int)probe.Output.Count], Parameters(probe));

    private static Dictionary<string, float[]> Parameters(LayerProbe probe, float beta = 0) => probe.Parameters.ToDictionary(
        parameter => parameter.Name,
        parameter => Enumerable.Repeat(parameter.Name.EndsWith("beta", StringComparison.Ordinal) ? beta : 1, parameter.Count).ToArray());
}
