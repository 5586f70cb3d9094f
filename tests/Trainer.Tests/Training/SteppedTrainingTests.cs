using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Trainer.Tests.Training;

/// <summary>A training with stops is the training without.</summary>
public class SteppedTrainingTests
{
    private static readonly Network Small = Network.Input(4).Dense(6).BatchNorm().Relu().Dropout(0.2f).Dense(3);

    [Fact]
    public void Advance_WithStops_MakesTheStepsOfNetworkTrainer()
    {
        var (rows, others) = (Rows(50, 1), Rows(20, 2));
        var options = new TrainingOptions
        {
            BatchSize = 8,
            Epochs = 3,
            EarlyStoppingPatience = 0,
            StandardizeFeatures = false,
            Optimizer = Optimizer.Sgd(0.1f, momentum: 0.9f),
            Schedule = LearningRateSchedule.Cosine(),
            Seed = 7,
        };
        var trained = NetworkTrainer.Train(Small, Loss.SoftmaxCrossEntropy, rows, options, others);

        using var training = new SteppedTraining(Small, Loss.SoftmaxCrossEntropy, rows, options);
        using var probe = new NetworkProbe(Small, Loss.SoftmaxCrossEntropy);
        Assert.Equal(7, training.StepsPerEpoch);
        for (var epoch = 1; epoch <= 3; epoch++)
        {
            training.Advance(3);
            probe.Read(training.Parameter, rows);
            training.Evaluate(rows, training.MeasurePopulation());
            training.Advance(0);
            training.Advance(4);
            var measured = training.Evaluate(others);

            Assert.Equal((epoch, epoch * 7L), (training.Epoch, training.Steps));
            Assert.Equal(trained.History[epoch - 1].Validation!.Loss, measured.Loss);
            Assert.Equal(trained.History[epoch - 1].Validation!.MicroAccuracy, measured.MicroAccuracy);
        }
    }

    [Fact]
    public void Advance_AnEpoch_GivesItsMeanLoss()
    {
        var options = new TrainingOptions { BatchSize = 8, Epochs = 2, ValidationFraction = 0, StandardizeFeatures = false, Seed = 3 };
        var trained = NetworkTrainer.Train(Small, Loss.SoftmaxCrossEntropy, Rows(50, 1), options);
        using var training = new SteppedTraining(Small, Loss.SoftmaxCrossEntropy, Rows(50, 1), options);

        Assert.Equal(trained.History.Select(report => report.Loss), [training.Advance(7), training.Advance(7)]);
        Assert.True(double.IsNaN(training.Advance(0)));
    }

    [Fact]
    public void MeasurePopulation_OfTheRowsThemselves_IsTheirMeanAndVariance()
    {
        var rows = Rows(48, 1);
        var network = Network.Input(4).BatchNorm().Dense(3);
        using var training = new SteppedTraining(
            network, Loss.SoftmaxCrossEntropy, rows, new TrainingOptions { BatchSize = 48, ValidationFraction = 0 });

        var population = training.MeasurePopulation();

        for (var feature = 0; feature < 4; feature++)
        {
            var values = Enumerable.Range(0, 48).Select(row => (double)rows.Row(row)[feature]).ToArray();
            var mean = values.Average();
            Assert.Equal(mean, population["batchnorm1.mean"][feature], 1e-6);
            Assert.Equal(
                values.Sum(value => (value - mean) * (value - mean)) / 47, population["batchnorm1.variance"][feature], 1e-6);
        }

        Assert.Equal([0, 0, 0, 0], training.Parameter("batchnorm1.mean"));
    }

    [Fact]
    public void Evaluate_WithOtherParameters_PutsTheOwnBack()
    {
        using var training = new SteppedTraining(
            Small, Loss.SoftmaxCrossEntropy, Rows(50, 1), new TrainingOptions { BatchSize = 10, ValidationFraction = 0 });
        training.Advance(5);
        var (before, own) = (training.Parameters(), training.Evaluate(Rows(50, 1)));

        // Logits that are all the same: the loss is ln 3.
        var blind = training.Evaluate(
            Rows(50, 1), new Dictionary<string, float[]> { ["dense2.weight"] = new float[18], ["dense2.bias"] = new float[3] });

        Assert.Equal(Math.Log(3), blind.Loss, 1e-6);
        Assert.NotEqual(own.Loss, blind.Loss, 1e-3);
        Assert.Equal(before, training.Parameters());
    }

    [Fact]
    public void Advance_RateBeyondReason_SaysThatTrainingDiverged()
    {
        using var training = new SteppedTraining(
            Network.Input(4).Dense(6).Relu().Dense(3),
            Loss.SquaredError,
            Rows(50, 1),
            new TrainingOptions { BatchSize = 10, Optimizer = Optimizer.Sgd(1e6f) });

        Assert.Throws<TrainingDivergedException>(() => training.Advance(200));
    }

    private static TrainingData Rows(int count, int seed)
    {
        var random = new Random(seed);
        var targets = new float[count * 3];
        for (var row = 0; row < count; row++) targets[(row * 3) + random.Next(3)] = 1;
        return new TrainingData(
            new SampleShape(4), 3, [.. Enumerable.Range(0, count * 4).Select(_ => (random.NextSingle() * 4) - 1)], targets);
    }
}
