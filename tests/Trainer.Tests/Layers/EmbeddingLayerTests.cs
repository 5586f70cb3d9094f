using MlNetBatchNorm.Trainer.Data;
using MlNetBatchNorm.Trainer.Layers;
using MlNetBatchNorm.Trainer.Tests.Gradients;

namespace MlNetBatchNorm.Trainer.Tests.Layers;

public class EmbeddingLayerTests
{
    [Theory]
    [InlineData(1, false)]
    [InlineData(3, false)]
    [InlineData(2, true)]
    public void Embedding_RandomShapes_AgreesWithFiniteDifferences(int groups, bool isBehindGroups) => RandomShapes.ForAll(
        test =>
        {
            // Random numbers lie around 0, so that some are numbers of categories and others are none.
            EmbeddedCategory[] categories = [new(0, [1, 1]), new(0, [0, 1, 1])];
            var (numbers, parts) = ((int)test.Shape.Channels - 1, isBehindGroups ? groups : 1);
            var width = numbers + categories.Length;
            var layer = new EmbeddingLayer(categories) { Groups = groups, IsBehindGroups = isBehindGroups };
            GradientCheck.Holds(layer, new SampleShape(parts * width), test.Rows, test.Seed, (x, parameters) =>
            [
                .. from row in Enumerable.Range(0, test.Rows)
                   from member in Enumerable.Range(0, groups)
                   let first = ((row * parts) + (isBehindGroups ? member : 0)) * width
                   from value in x[first..(first + numbers)].Concat(Enumerable.Range(0, categories.Length).SelectMany(place =>
                   {
                       var (category, number) = (categories[place], x[(row * parts * width) + numbers + place]);
                       var level = number > -0.5 && number < category.Levels + 0.5 ? (int)Math.Floor(number + 0.5) : 0;
                       var table = parameters[EmbeddingLayer.TableName(place)];
                       return table.Skip(((level * groups) + member) * category.Dimension).Take(category.Dimension);
                   }))
                   select value,
            ]);
        },
        maximumAxes: 0);

    [Theory]
    [InlineData(100, 8)]
    [InlineData(228, 8)]
    [InlineData(5000, 18)]
    [InlineData(50_000, 30)]
    public void Dimension_OfLevels_IsTwiceTheFourthRoot(int levels, int expected) =>
        Assert.Equal(expected, new EmbeddedCategory(0, new int[levels + 1]).Dimension);

    [Theory]
    [InlineData(1, "embedding1.table1", 4)]
    [InlineData(2.5f, "embedding1.table1", 10)]
    [InlineData(0.01f, "embedding1.table1", 1)]
    public void Train_EmbeddingScale_IsHowLongTheVectorsAre(float scale, string table, int expected)
    {
        float[] features = [.. Enumerable.Range(0, 60).Select(row => (float)(1 + (row % 15)))];
        var rows = new TrainingData(new SampleShape(1), 1, features, [.. features.Select(category => category % 3)]);
        var options = new TrainingOptions { EmbeddedFeatures = [0], EmbeddingScale = scale, Epochs = 1, BatchSize = 20 };

        // 15 categories and none: 16 vectors, usually of twice the fourth root of 15, 2 · 2.
        var trained = NetworkTrainer.Train(Network.Input(1).Dense(4).BatchNorm().Relu().Dense(1), Loss.SquaredError, rows, options);

        Assert.Equal(16 * expected, trained.Parameters[table].Length);
    }

    [Fact]
    public void Complete_NoRowWithoutCategory_IsTheMeanOverTheRows()
    {
        var sites = Network.Input(1).Add(new EmbeddingLayer([new EmbeddedCategory(0, [0, 3, 1])])).Sites;

        var table = EmbeddingLayer.Complete(
            sites, new Dictionary<string, float[]> { ["embedding1.table1"] = [9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8] })["embedding1.table1"];

        Assert.Equal([2, 3, 4, 5, 1, 2, 3, 4, 5, 6, 7, 8], table);
    }

    [Fact]
    public void Train_OneOf300Categories_IsLearnedByEachMemberAlone()
    {
        var random = new Random(3);
        var features = new float[3000 * 2];
        var targets = new float[3000];
        for (var row = 0; row < targets.Length; row++)
        {
            (features[2 * row], features[(2 * row) + 1]) = (1 + (row % 300), random.NextSingle());
            targets[row] = (row % 300 * 7919 % 1000 / 1000f) + (0.1f * features[(2 * row) + 1]);
        }

        var network = Network.Input(2).Members(4, member => member.Dense(16).BatchNorm().Silu().Dense(1));
        var options = new TrainingOptions
        {
            EmbeddedFeatures = [0],
            NumericEncoding = NumericEncoding.PiecewiseLinear(),
            Epochs = 40,
            BatchSize = 64,
            EarlyStoppingPatience = 0,
            Optimizer = Optimizer.AdamW(5e-3f),
            Schedule = LearningRateSchedule.Cosine(),
        };
        var trained = NetworkTrainer.Train(network, Loss.SquaredError, new TrainingData(new SampleShape(2), 1, features, targets), options);

        // The mean has an error of 0.29.
        Assert.InRange(trained.OutOfFold!.Metrics.RootMeanSquaredError!.Value, 0, 0.1);
        Assert.Contains("# embedding: 300 in 10", trained.Network.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.5f)]
    [InlineData(-1f)]
    public void Train_EmbeddedFeatureThatIsNoNumberOfACategory_SaysWhichAndWhere(float value)
    {
        var data = new TrainingData(new SampleShape(2), 1, [1, 1, 2, value], [0, 1]);

        var error = Assert.Throws<ArgumentException>(() => NetworkTrainer.Train(
            Network.Input(2).Dense(1), Loss.SquaredError, data, new TrainingOptions { EmbeddedFeatures = [1], ValidationFraction = 0 }));

        Assert.Contains("Feature 1 is embedded", error.Message, StringComparison.Ordinal);
        Assert.Contains("row 2", error.Message, StringComparison.Ordinal);
    }
}
