using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Results;
using MlNetBatchNorm.Trainer.Tests.Fixtures;

namespace MlNetBatchNorm.Trainer.Tests.Data;

public class StandardizationTests
{
    [Fact]
    public void Fit_LargeMean_KeepsTheDigitsOfTheDeviation()
    {
        var rows = Rows([10000, 10001, 10002, 10003]);

        var standardization = Standardization.Fit(rows);

        Assert.Equal(10001.5f, standardization.Mean[0]);
        Assert.Equal(Math.Sqrt(1.25), standardization.StandardDeviation[0], 1e-6);
    }

    [Fact]
    public void Apply_ConstantFeature_GivesZeros()
    {
        var rows = Rows([0.1f, 0.1f, 0.1f]);

        var standardized = Standardization.Fit(rows).Apply(rows);

        Assert.Equal(0, Standardization.Fit(rows).StandardDeviation[0]);
        Assert.All(standardized.FeatureArray, value => Assert.Equal(0, value));
    }

    [Fact]
    public void Apply_OtherChannels_SaysBothCounts()
    {
        var exception = Assert.Throws<ArgumentException>(
            () => Standardization.Fit(Rows([1, 2])).Apply(new TrainingData(new SampleShape(2), 1, [1, 2], [0])));
        Assert.Contains("2 channels", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Apply_Clipped_BringsFarValuesToTheBound()
    {
        var standardization = Standardization.Fit(Rows([0, 2]), clip: 5);

        Assert.Equal([-5, -1, 0, 5], standardization.Apply(Rows([-100, 0, 1, 1e6f])).FeatureArray);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(float.NaN)]
    public void Fit_ClipOutOfItsRange_SaysTheRange(float clip)
    {
        var exception = Assert.Throws<ArgumentOutOfRangeException>(() => Standardization.Fit(Rows([0, 2]), clip));
        Assert.Contains("above 0", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(float.PositiveInfinity)]
    [InlineData(1.5f)]
    public void ToOnnx_Standardized_GivesWhatTheNetworkGivesOnStandardizedRows(float clip)
    {
        // The second feature is constant in training but not afterwards.
        float[] training = [1, 5, 2, 5, 4, 5, 9, 5, 12, 5];
        float[] later = [3, 5, 100, 6, -200, 4];
        var standardization = Standardization.Fit(new TrainingData(new SampleShape(2), 1, training, new float[5]), clip);
        var network = Network.Input(2).Dense(3).Tanh().Dense(1);
        var parameters = network.Parameters.ToDictionary(parameter => parameter.Name, parameter =>
        {
            var values = new float[parameter.Count];
            Initializer.GlorotUniform.Fill(values, parameter.Shape, new Random(3));
            return values;
        });

        var inside = Score(standardization, later);
        var outside = Score(null, standardization.Apply(new TrainingData(new SampleShape(2), 1, later, new float[3])).FeatureArray);

        Closeness.Require(Array.ConvertAll(outside, value => (double)value), inside, 1e-6, "The score");

        float[] Score(Standardization? inModel, float[] features)
        {
            var trained = new TrainedNetwork(network, Loss.SquaredError, parameters, inModel, RunningStatistics.PyTorch(), [], Device.Cpu);
            using var session = OnnxSession.Load(trained.ToOnnx());
            return (float[])session.Run(new Dictionary<string, HostTensor>
            {
                [TrainedNetwork.FeaturesInput] = HostTensor.Of(features, features.Length / 2, 2),
            })[TrainedNetwork.ScoreOutput].Data;
        }
    }

    [Theory]
    [InlineData(1000, 5)]
    [InlineData(2008, 1.3f)]
    [InlineData(1e6f, 1)]
    public void Export_FeatureFarFromZero_LosesNothing(float mean, float deviation)
    {
        // Dividing by hand what the network would standardize gives the same training, without large numbers anywhere.
        var random = new Random(4);
        var near = new float[600];
        for (var i = 0; i < near.Length; i++) near[i] = MathF.Round((random.NextSingle() - 0.5f) * 64) / 16;
        var targets = Enumerable.Range(0, 300).Select(row => near[2 * row] > near[(2 * row) + 1] ? 1f : 0f).ToArray();
        var far = near.Select((value, i) => i % 2 == 0 ? mean + (deviation * value) : value).ToArray();
        var rows = new TrainingData(new SampleShape(2), 1, far, targets);
        var trained = NetworkTrainer.Train(
            Network.FeedForward(2, [16, 8], 1), Loss.SigmoidCrossEntropy, rows, new TrainingOptions { Epochs = 5, ValidationFraction = 0 });

        var export = NetworkExporter.Export(trained, rows);

        Assert.DoesNotContain(export.Folded.Proto.Graph.Node, node => node.OpType == "BatchNormalization");
        var standardized = trained.Standardization!.Apply(rows);
        var onStandardized = new TrainedNetwork(
            trained.Network, trained.Loss, trained.ParameterArrays, null, trained.Statistics, trained.History, trained.Device).ToOnnx();
        using var expected = OnnxScorer.Load(onStandardized);
        using var actual = OnnxScorer.Load(export.Folded);
        var (a, b) = (new float[600], new float[600]);
        expected.ScoreBatch(standardized.FeatureArray, 300, a);
        actual.ScoreBatch(far, 300, b);
        for (var i = 0; i < a.Length; i++) Assert.Equal(a[i], b[i], 1e-4f);
    }

    /// <summary>Numbers that only differ by a factor are the same to a network that standardizes them.</summary>
    [Theory]
    [InlineData(1e-44, float.PositiveInfinity)]
    [InlineData(1e-38, float.PositiveInfinity)]
    [InlineData(1e-30, float.PositiveInfinity)]
    [InlineData(1e-24, 5)]
    [InlineData(1e-17, float.PositiveInfinity)]
    [InlineData(1e17, float.PositiveInfinity)]
    [InlineData(1e20, 5)]
    [InlineData(1e30, float.PositiveInfinity)]
    [InlineData(1e37, 5)]
    [InlineData(1e37, float.PositiveInfinity)]
    public void Export_FeatureOfAnySize_ScoresAsItWasTrained(double size, float clip)
    {
        var random = new Random(4);
        var unit = new float[600];
        for (var i = 0; i < unit.Length; i++) unit[i] = random.Next(-16, 16);
        var targets = Enumerable.Range(0, 300).Select(row => unit[2 * row] > unit[(2 * row) + 1] ? 1f : 0f).ToArray();
        var features = unit.Select((value, i) => i % 2 == 0 ? (float)(size * value) : value).ToArray();
        var rows = new TrainingData(new SampleShape(2), 1, features, targets);
        var options = new TrainingOptions { Epochs = 40, ValidationFraction = 0, FeatureClip = clip };
        var trained = NetworkTrainer.Train(Network.FeedForward(2, [16, 8], 1), Loss.SigmoidCrossEntropy, rows, options);

        var folded = NetworkExporter.Export(trained, rows).Folded;

        Assert.DoesNotContain(folded.Proto.Graph.Node, node => node.OpType == "BatchNormalization");
        var evaluation = ModelEvaluation.Of(folded.Proto, Loss.SigmoidCrossEntropy, rows);
        Assert.All(evaluation.Predictions, value => Assert.InRange(value, 0, 1));
        Assert.InRange(evaluation.Metrics[Metric.AreaUnderRocCurve]!.Value, 0.95, 1);
        var onStandardized = new TrainedNetwork(
            trained.Network, trained.Loss, trained.ParameterArrays, null, trained.Statistics, trained.History, trained.Device).ToOnnx();
        var expected = ModelEvaluation.Of(onStandardized, Loss.SigmoidCrossEntropy, trained.Standardization!.Apply(rows)).Predictions;
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], evaluation.Predictions[i], 1e-4f);
    }

    [Fact]
    public void Fit_NeighboursInFloat32_AreNotAConstant()
    {
        // 64 apart, which is what float32 keeps at 1e9.
        var standardization = Standardization.Fit(Rows([1e9f, 1e9f + 64, 1e9f, 1e9f + 64]));

        Assert.Equal(32, standardization.StandardDeviation[0], 1e-9);
        var applied = standardization.Apply(Rows([1e9f, 1e9f + 64])).FeatureArray;
        Assert.Equal(2, applied[1] - applied[0]);
    }

    [Fact]
    public void Fit_SparseRows_GivesWhatTheSameRowsWrittenOutGive()
    {
        var random = new Random(3);
        var values = new float[100 * 20];
        for (var row = 0; row < 100; row++)
        {
            values[(row * 20) + 19] = 7;
            values[(row * 20) + random.Next(18)] = random.NextSingle();
        }

        var builder = new FeatureRows.Builder(20, blockValues: 400);
        for (var row = 0; row < 100; row++) builder.Add(values.AsSpan(row * 20, 20), [], isDense: true);
        var sparse = new TrainingData(new SampleShape(20), 1, builder.Build(), new float[100]);
        var dense = new TrainingData(new SampleShape(20), 1, values, new float[100]);

        var (fitted, expected) = (Standardization.Fit(sparse), Standardization.Fit(dense));

        Assert.True(sparse.FeatureRows.IsSparse);
        for (var slot = 0; slot < 20; slot++)
        {
            Assert.Equal(expected.Mean[slot], fitted.Mean[slot]);
            Assert.Equal(expected.StandardDeviation[slot], fitted.StandardDeviation[slot], 1e-12);
        }

        var (applied, written) = (fitted.Apply(sparse).FeatureArray, expected.Apply(dense).FeatureArray);
        for (var i = 0; i < written.Length; i++) Assert.Equal(written[i], applied[i], 1e-6f);
        Assert.All(Enumerable.Range(0, 100), row => Assert.Equal(0, applied[(row * 20) + 19]));
    }

    private static TrainingData Rows(float[] values) => new(new SampleShape(1), 1, values, new float[values.Length]);
}
