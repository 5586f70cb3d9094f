using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Trainer.Results;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Trainer.Tests.Training;

public class NetworkTrainerTests
{
    private static readonly TrainingOptions Quick = new() { Epochs = 3, BatchSize = 16, Optimizer = Optimizer.AdamW(1e-2f) };

    [Fact]
    public void Train_SameSeed_GivesTheSameBits()
    {
        var first = Train(Rings(100), Quick with { Seed = 5 });
        var second = Train(Rings(100), Quick with { Seed = 5 });
        var other = Train(Rings(100), Quick with { Seed = 6 });

        foreach (var (name, values) in first.ParameterArrays) Assert.Equal(values, second.ParameterArrays[name]);
        Assert.NotEqual(first.ParameterArrays["dense1.weight"], other.Parameters["dense1.weight"]);
        Assert.Equal(first.History.Select(report => report.Loss), second.History.Select(report => report.Loss));
    }

    [Fact]
    public void Train_ValidationGetsWorse_StopsAndGivesTheBestEpoch()
    {
        // The validation labels contradict the training labels, so the validation loss can only rise.
        var rows = Rings(100);
        var contrary = new TrainingData(rows.Shape, 1, rows.FeatureArray, Array.ConvertAll(rows.TargetArray, target => 1 - target));
        var options = Quick with { Epochs = 20, EarlyStoppingPatience = 2 };

        var stopped = Train(rows, options, contrary);

        var best = stopped.Best.Epoch;
        Assert.Equal(best + 2, stopped.History.Count);
        Assert.Equal(stopped.History.Min(report => report.Validation!.Loss), stopped.Best.Validation!.Loss);
        // The same run cut off at the best epoch has the same network.
        var cut = Train(rows, options with { Epochs = best }, contrary);
        foreach (var (name, values) in cut.Parameters) Assert.Equal(values, stopped.ParameterArrays[name]);
    }

    [Fact]
    public void Train_WithoutValidation_GivesTheLastEpoch()
    {
        var trained = Train(Rings(50), Quick with { ValidationFraction = 0, EarlyStoppingPatience = 1 });

        Assert.Equal(3, trained.Best.Epoch);
        Assert.All(trained.History, report => Assert.Null(report.Validation));
    }

    [Fact]
    public void Train_Cancelled_Throws()
    {
        using var source = new CancellationTokenSource();
        var options =
            Quick with { Epochs = 1000, EarlyStoppingPatience = 0, Progress = report => { if (report.Epoch == 2) source.Cancel(); } };

        Assert.Throws<OperationCanceledException>(
            () => NetworkTrainer.Train(Architecture(), Loss.SigmoidCrossEntropy, Rings(64), options, null, source.Token));
    }

    [Theory]
    [InlineData(36, 3)]
    [InlineData(33, 2)]
    [InlineData(32, 2)]
    public void MiniBatches_OfSixteenRows_UseASmallerLastBatchButNotOneRow(int rows, int steps)
    {
        var batches = new MiniBatches(Rings(rows), 16, new Random(1), Architecture().MinimumBatchRows);
        using var step = new TrainingStep(
            Architecture(), Loss.SigmoidCrossEntropy, Optimizer.Sgd(), RunningStatistics.PyTorch(), 16, new Random(1));
        var counts = new List<int>();

        batches.Restart();
        while (batches.Fill(step) is > 0 and var count) counts.Add(count);

        Assert.Equal(steps, batches.PerEpoch);
        Assert.Equal(steps, counts.Count);
        Assert.Equal(rows == 33 ? 32 : rows, counts.Sum());
    }

    [Theory]
    [InlineData(34, 16, new[] { 11, 11, 12 })]
    [InlineData(33, 32, new[] { 16, 17 })]
    [InlineData(32, 16, new[] { 16, 16 })]
    [InlineData(3, 2, new[] { 2 })]
    public void MiniBatches_OfAnEnsemble_HaveOneSizeAsNearAsItGoes(int rows, int most, int[] sizes)
    {
        var network = Network.Input(2).Members(2, member => member.Dense(3).BatchNorm().Relu().Dense(1));
        var batches = new MiniBatches(Rings(rows), most, new Random(1), network.MinimumBatchRows, members: 2);
        using var step = new TrainingStep(
            network, Loss.SigmoidCrossEntropy, Optimizer.Sgd(), RunningStatistics.PyTorch(), most, new Random(1));
        var counts = new List<int>();

        batches.Restart();
        while (batches.Fill(step) is > 0 and var count) counts.Add(count);

        Assert.Equal(sizes, counts.Order());
        Assert.Equal(sizes.Length, batches.PerEpoch);
    }

    [Fact]
    public void Train_HugeLearningRate_ThrowsWithTheEpoch()
    {
        var rows = Line(64);
        var options = Quick with { Epochs = 200, Optimizer = Optimizer.Sgd(1e6f), EarlyStoppingPatience = 0 };

        var exception = Assert.Throws<TrainingDivergedException>(
            () => NetworkTrainer.Train(Network.Input(1).Dense(4).Dense(1), Loss.SquaredError, rows, options));

        Assert.Contains("epoch", exception.Message, StringComparison.Ordinal);
        Assert.Contains("learning rate", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_RowsOfWeightZero_TeachNothing()
    {
        // Half of the rows say the opposite, but weigh nothing.
        var rows = Rings(200);
        var targets = rows.TargetArray.Select((target, row) => row % 2 == 0 ? target : 1 - target).ToArray();
        var weights = Enumerable.Range(0, 200).Select(row => row % 2 == 0 ? 3f : 0f).ToArray();
        var weighted = new TrainingData(rows.Shape, 1, rows.FeatureArray, targets, weights);

        var trained = Train(weighted, Quick with { Epochs = 40, EarlyStoppingPatience = 0 });

        Assert.True(trained.Best.Validation!.Accuracy > 0.9, $"accuracy {trained.Best.Validation.Accuracy}");
    }

    [Fact]
    public void Export_OfATrainedNetwork_GivesItsEvaluation()
    {
        var rows = Rings(120);
        var validation = Rings(60);
        var trained = Train(rows, Quick, validation);

        var export = NetworkExporter.Export(trained, rows);

        foreach (var model in new[] { export.Unfolded, export.Folded })
        {
            using var session = OnnxSession.Load(model.Proto);
            var probabilities = (float[])session.Run(new Dictionary<string, HostTensor>
            {
                [TrainedNetwork.FeaturesInput] = HostTensor.Of(validation.FeatureArray, validation.Count, 2),
            })[TrainedNetwork.ProbabilityOutput].Data;
            var logLoss = ClassificationMetrics.LogLoss(new PredictedRows(probabilities, validation.TargetArray, 1));
            Assert.Equal(trained.Best.Validation!.Loss, logLoss, 1e-5);
            var auc = ClassificationMetrics.AreaUnderRoc(new PredictedRows(probabilities, validation.TargetArray, 1));
            Assert.Equal(trained.Best.Validation.AreaUnderRocCurve!.Value, auc, 1e-9);
        }

        Assert.DoesNotContain(export.Folded.Proto.Graph.Node, node => node.OpType == "BatchNormalization");
    }

    [Fact]
    public void StopAfterThisEpoch_InTheCallback_KeepsTheBestNetworkSoFar()
    {
        var whole = Train(Rings(200), Quick with { Epochs = 9, EarlyStoppingPatience = 0 });
        var stopped = Train(Rings(200), Quick with { Epochs = 9, EarlyStoppingPatience = 0, Progress = report => StopAt(report, 4) });

        Assert.Equal(4, stopped.History.Count);
        Assert.Equal(whole.History.Take(4).Select(report => report.Loss), stopped.History.Select(report => report.Loss));
        Assert.Equal(stopped.History.MinBy(report => report.Validation!.Loss)!.Epoch, stopped.Best.Epoch);
    }

    [Fact]
    public void StopAfterThisEpoch_PopulationStatisticsWithoutValidation_AreThoseOfTheRows()
    {
        var rows = Rings(200);
        var options = Quick with { Epochs = 9, ValidationFraction = 0, Statistics = RunningStatistics.Population, BatchSize = 200 };
        var stopped = Train(rows, options with { Progress = report => StopAt(report, 3) });
        var whole = Train(rows, options with { Epochs = 3 });

        foreach (var (name, values) in whole.ParameterArrays) Assert.Equal(values, stopped.ParameterArrays[name]);
    }

    [Fact]
    public void Train_RowsThatDoNotFit_SaysBothShapes()
    {
        var exception = Assert.Throws<ArgumentException>(
            () => NetworkTrainer.Train(Network.Input(3).Dense(1), Loss.SquaredError, Line(10)));
        Assert.Contains("[3]", exception.Message, StringComparison.Ordinal);
        Assert.Contains("[1]", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_OptionOutOfItsRange_SaysTheRange()
    {
        Assert.Contains("at least 2", Rejected(Quick with { BatchSize = 1 }), StringComparison.Ordinal);
        Assert.Contains("from 0 to below 1", Rejected(Quick with { ValidationFraction = 1 }), StringComparison.Ordinal);
        Assert.Contains("above 0", Rejected(Quick with { FeatureClip = 0 }), StringComparison.Ordinal);
        Assert.Contains("above 0", Rejected(Quick with { MaximumGradientNorm = 0 }), StringComparison.Ordinal);
        Rejected(Quick with { Epochs = 0 });
        Rejected(Quick with { EarlyStoppingPatience = -1 });

        static string Rejected(TrainingOptions options) =>
            Assert.Throws<ArgumentOutOfRangeException>(() => Train(Rings(20), options)).Message;
    }

    [Theory]
    [InlineData("squared error")]
    [InlineData("absolute error")]
    [InlineData("Huber, delta 1")]
    public void Train_Numbers_ScoresAndMetricsAreInTheTargetsUnit(string kind)
    {
        // Dollars: far from mean 0 and variance 1.
        var line = Line(200);
        var rows = new TrainingData(line.Shape, 1, line.FeatureArray, Array.ConvertAll(line.TargetArray, value => (1000 * value) + 50_000));
        var loss = new[] { Loss.SquaredError, Loss.AbsoluteError, Loss.Huber() }.Single(loss => loss.Kind == kind);
        var network = Network.FeedForward(1, [16], 1, Activation.Relu);

        var trained = NetworkTrainer.Train(network, loss, rows, Quick with { Epochs = 60, EarlyStoppingPatience = 0 }, validation: rows);

        var metrics = trained.Best.Validation!;
        Assert.InRange(metrics.RSquared!.Value, 0.98, 1);
        Assert.InRange(metrics.RootMeanSquaredError!.Value, 10, 20_000);
        using var session = OnnxSession.Load(NetworkExporter.Export(trained, rows).Folded.Proto);
        var scores = (float[])session.Run(new Dictionary<string, HostTensor>
        {
            [TrainedNetwork.FeaturesInput] = HostTensor.Of(rows.FeatureArray, rows.Count, 1),
        })[TrainedNetwork.ScoreOutput].Data;
        foreach (var (metric, value) in loss.Measure(scores, rows))
            Assert.Equal(metrics.Values[metric]!.Value, value, 1e-3 * Math.Abs(value));
    }

    [Fact]
    public void Train_NumbersWithoutADenseEnd_SaysWhatToDo()
    {
        var network = Network.Input(1).Dense(1).BatchNorm();

        var exception = Assert.Throws<ArgumentException>(() => NetworkTrainer.Train(network, Loss.SquaredError, Line(10), Quick));

        Assert.Contains("StandardizeTargets", exception.Message, StringComparison.Ordinal);
        NetworkTrainer.Train(network, Loss.SquaredError, Line(10), Quick with { StandardizeTargets = false, ValidationFraction = 0 });
    }

    [Fact]
    public void Train_ConstantTarget_GivesIt()
    {
        var rows = new TrainingData(new SampleShape(1), 1, Line(50).FeatureArray, [.. Enumerable.Repeat(1234.5f, 50)]);

        var trained = NetworkTrainer.Train(
            Network.FeedForward(1, [4], 1),
            Loss.SquaredError,
            rows,
            Quick with { Epochs = 50, EarlyStoppingPatience = 0 },
            validation: rows);

        Assert.InRange(trained.Best.Validation!.RootMeanSquaredError!.Value, 0, 0.5);
    }

    private static Network Architecture() => Network.FeedForward(2, [12], 1, Activation.Relu);

    private static TrainedNetwork Train(TrainingData rows, TrainingOptions options, TrainingData? validation = null) =>
        NetworkTrainer.Train(Architecture(), Loss.SigmoidCrossEntropy, rows, options, validation);

    /// <summary>Points inside (1) and outside (0) of a circle.</summary>
    private static TrainingData Rings(int count)
    {
        var random = new Random(11);
        var features = new float[count * 2];
        var targets = new float[count];
        for (var i = 0; i < count; i++)
        {
            var (angle, inside) = (random.NextDouble() * 2 * Math.PI, random.Next(2));
            var radius = (inside == 1 ? 0.5 : 1.5) + (0.2 * random.NextDouble());
            features[2 * i] = (float)(radius * Math.Cos(angle));
            features[(2 * i) + 1] = (float)(radius * Math.Sin(angle));
            targets[i] = inside;
        }

        return new TrainingData(new SampleShape(2), 1, features, targets);
    }

    private static TrainingData Line(int count)
    {
        var x = Enumerable.Range(0, count).Select(i => (float)i).ToArray();
        return new TrainingData(new SampleShape(1), 1, x, Array.ConvertAll(x, value => (2 * value) + 1));
    }

    private static void StopAt(EpochReport report, int epoch)
    {
        if (report.Epoch == epoch) report.StopAfterThisEpoch();
    }
}
