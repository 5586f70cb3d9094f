namespace MlNetBatchNorm.Trainer.Tests.Data;

public class AugmentationTests
{
    [Fact]
    public void Shift_Image_MovesAllChannelsTogetherAndRepeatsTheEdge()
    {
        var shape = new SampleShape(2, 4, 5);
        float[] row = [.. Enumerable.Range(0, 40)];
        var augmentation = Augmentation.Shift(2);
        var random = new Random(1);
        var seen = new HashSet<(int Down, int Across)>();

        for (var i = 0; i < 500; i++)
        {
            var result = new float[row.Length];
            augmentation.Apply(row, result, shape, random);
            seen.Add(Assert.Single(Moves(2), move => result.SequenceEqual(Moved(row, move))));
        }

        Assert.Equal(25, seen.Count);
    }

    [Fact]
    public void Shift_Sequence_MovesAlongItsOneAxis()
    {
        var results = new HashSet<string>();
        var random = new Random(1);
        for (var i = 0; i < 100; i++)
        {
            var result = new float[4];
            Augmentation.Shift(1).Apply([1, 2, 3, 4], result, new SampleShape(1, 4), random);
            results.Add(string.Join(',', result));
        }

        Assert.Equal(["1,1,2,3", "1,2,3,4", "2,3,4,4"], results.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Shift_Mirrored_TurnsEveryOtherRowRound()
    {
        float[] image = [1, 2, 3, 4, 5, 6, 7, 8];
        var (results, turned) = (new HashSet<string>(), 0);
        var random = new Random(1);
        for (var i = 0; i < 600; i++)
        {
            var result = new float[8];
            Augmentation.Shift(1, mirror: true).Apply(image, result, new SampleShape(1, 2, 4), random);
            results.Add(string.Join(',', result));
            if (result[0] > result[3]) turned++;
        }

        // Three moves down, three across, and each of them also from right to left.
        Assert.Equal(18, results.Count);
        Assert.Contains("4,3,2,1,8,7,6,5", results);
        Assert.InRange(turned, 240, 360);
    }

    [Fact]
    public void Shift_RowsThatCannotBeShifted_SaysWhy()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Augmentation.Shift(0));
        Assert.Contains("[C, L] or [C, H, W]", Message(Network.Input(6).Dense(1)), StringComparison.Ordinal);
        Assert.Contains("too short", Message(Network.Input(1, 2, 3).Flatten().Dense(1)), StringComparison.Ordinal);

        static string Message(Network network)
        {
            var rows = new TrainingData(network.InputShape, 1, new float[24], [.. new float[24 / network.InputShape.Count]]);
            var options = new TrainingOptions { Augmentation = Augmentation.Shift(2) };
            return Assert.Throws<ArgumentException>(() => NetworkTrainer.Train(network, Loss.SquaredError, rows, options)).Message;
        }
    }

    [Fact]
    public void Train_WithShifts_IsRepeatableAndDiffersFromTrainingWithout()
    {
        var random = new Random(1);
        var features = new float[40 * 16];
        foreach (ref var value in features.AsSpan()) value = random.NextSingle();
        var rows = new TrainingData(new SampleShape(1, 4, 4), 1, features, [.. Enumerable.Range(0, 40).Select(row => row % 2f)]);
        var network = Network.Input(1, 4, 4).Conv2d(2, 3).BatchNorm().Relu().Flatten().Dense(1);

        var (first, again, without) = (Weights(Augmentation.Shift(1)), Weights(Augmentation.Shift(1)), Weights(null));

        Assert.Equal(first, again);
        Assert.NotEqual(first, without);

        float[] Weights(Augmentation? augmentation) => NetworkTrainer.Train(
            network,
            Loss.SigmoidCrossEntropy,
            rows,
            new TrainingOptions { Epochs = 2, BatchSize = 16, Augmentation = augmentation }).ParameterArrays["conv1.weight"];
    }

    private static IEnumerable<(int Down, int Across)> Moves(int most) =>
        from down in Enumerable.Range(-most, (2 * most) + 1)
        from across in Enumerable.Range(-most, (2 * most) + 1)
        select (down, across);

    // Of two channels of 4 × 5.
    private static IEnumerable<float> Moved(float[] row, (int Down, int Across) move) =>
        from channel in Enumerable.Range(0, 2)
        from y in Enumerable.Range(0, 4)
        from x in Enumerable.Range(0, 5)
        select row[(channel * 20) + (Math.Clamp(y - move.Down, 0, 3) * 5) + Math.Clamp(x - move.Across, 0, 4)];
}
