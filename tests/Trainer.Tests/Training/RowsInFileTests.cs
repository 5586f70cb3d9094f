using MlNetBatchNorm.Trainer.Data;

namespace MlNetBatchNorm.Trainer.Tests.Training;

/// <summary>Judged by the same training with its rows in memory.</summary>
public class RowsInFileTests
{
    private const int Width = 6, Count = 500;

    public static TheoryData<string, Network, Loss, TrainingOptions> Trainings { get; } = new()
    {
        { "held out", Small(), Loss.SigmoidCrossEntropy, Options },
        { "population statistics", Small(), Loss.SigmoidCrossEntropy, Options with { Statistics = RunningStatistics.Population } },
        { "a number, encoded", Small(), Loss.SquaredError, Options with { NumericEncoding = NumericEncoding.PiecewiseLinear(4) } },
        {
            "out of fold", Network.Input(Width).Members(3, _ => Small()), Loss.SigmoidCrossEntropy, Options with { Epochs = 2 }
        },
    };

    private static TrainingOptions Options => new() { BatchSize = 32, Epochs = 3, Seed = 5, Threads = 1 };

    [Theory]
    [MemberData(nameof(Trainings))]
    public void Train_RowsInAFile_GivesTheNetworkOfRowsInMemory(string name, Network network, Loss loss, TrainingOptions options)
    {
        var inMemory = NetworkTrainer.Train(network, loss, Rows(long.MaxValue), options);
        var rows = Rows(3000);
        var inFile = NetworkTrainer.Train(network, loss, rows, options);

        Assert.NotNull(rows.FeatureRows.File);
        Assert.NotEmpty(name);
        foreach (var (parameter, values) in inMemory.Parameters) Assert.Equal(values.ToArray(), inFile.Parameters[parameter].ToArray());
        Assert.Equal(inMemory.History.Select(Figures), inFile.History.Select(Figures));
        Assert.Equal(inMemory.OutOfFold?.Predictions.ToArray(), inFile.OutOfFold?.Predictions.ToArray());

        static (double, double?) Figures(EpochReport report) => (report.Loss, report.Validation?.Loss);
    }

    [Fact]
    public void Train_RowsInAFileStoppedAndResumed_GivesTheNetworkOfRowsInMemory()
    {
        var path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.checkpoint");
        var expected = NetworkTrainer.Train(Small(), Loss.SigmoidCrossEntropy, Rows(long.MaxValue), Options);
        var checkpoint = new CheckpointOptions(path);

        Assert.Throws<TimeoutException>(() => NetworkTrainer.Train(Small(), Loss.SigmoidCrossEntropy, Rows(3000), Options with
        {
            Checkpoint = checkpoint,
            Progress = report =>
            {
                if (report.Epoch == 2) throw new TimeoutException();
            },
        }));
        var resumed = NetworkTrainer.Train(Small(), Loss.SigmoidCrossEntropy, Rows(3000), Options with { Checkpoint = checkpoint });

        foreach (var (parameter, values) in expected.Parameters) Assert.Equal(values.ToArray(), resumed.Parameters[parameter].ToArray());
    }

    private static Network Small() => Network.Input(Width).Dense(5).BatchNorm().Relu().Dense(1);

    private static TrainingData Rows(long budget)
    {
        var random = new Random(1);
        var builder = new FeatureRows.Builder(Width, Count, blockValues: 300, budget: budget);
        var (row, targets) = (new float[Width], new float[Count]);
        for (var i = 0; i < Count; i++)
        {
            for (var slot = 0; slot < Width; slot++) row[slot] = random.NextSingle() * (slot + 1);
            builder.Add(row, [], isDense: true);
            targets[i] = row[0] + (row[1] * row[2] / 4) > 1 ? 1 : 0;
        }

        return new TrainingData(new SampleShape(Width), 1, builder.Build(), targets);
    }
}
