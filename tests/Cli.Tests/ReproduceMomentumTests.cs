using System.Text.Json;
using MlNetBatchNorm.Cli.Reproduction;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary><c>reproduce momentum</c>: running statistics of every momentum on one training.</summary>
public class ReproduceMomentumTests
{
    [Theory]
    [InlineData("pytorch:0.1", 0.1f, MomentumExperiment.Convention.PyTorch)]
    [InlineData("keras:0.99", 0.01f, MomentumExperiment.Convention.Keras)]
    [InlineData("debiased:0.01", 0.01f, MomentumExperiment.Convention.Corrected)]
    public void Follower_BesideATraining_HasTheStatisticsOfATrainingByItsRule(string rule, float newShare, object convention)
    {
        var rows = Rows();
        var network = MomentumExperiment.CreateNetwork(rows);
        var follower = new MomentumExperiment.Follower(network, newShare, (MomentumExperiment.Convention)convention);
        using var followed = MomentumExperiment.CreateTraining(network, rows, 2, seed: 4);
        using var training = MomentumExperiment.CreateTraining(network, rows, 2, seed: 4, RunningStatistics.Parse(rule));

        for (var step = 1; step <= 8; step++)
        {
            followed.Advance(1);
            follower.Follow(step, followed.Parameter);
            training.Advance(1);
        }

        Assert.Equal(rule, follower.Rule?.ToString());
        Assert.Equal(4, follower.Values.Count);
        foreach (var (name, values) in follower.Values)
            Assert.All(
                values.Zip(training.Parameter(name)),
                pair => Assert.Equal(pair.Second, pair.First, 1e-5 + (1e-5 * Math.Abs(pair.Second))));
    }

    [Fact]
    public void Follower_NoWeightForTheNewValue_IsRefusedByTheLibraryAndStays()
    {
        var network = MomentumExperiment.CreateNetwork(Rows());
        foreach (var convention in new[] { MomentumExperiment.Convention.PyTorch, MomentumExperiment.Convention.Keras })
        {
            var follower = new MomentumExperiment.Follower(network, 0, convention);
            follower.Follow(1, _ => throw new InvalidOperationException("not to be asked for"));

            Assert.Null(follower.Rule);
            Assert.StartsWith("refused", follower.Warning(network), StringComparison.Ordinal);
            Assert.All(follower.Values["batchnorm1.mean"], value => Assert.Equal(0, value));
            Assert.All(follower.Values["batchnorm1.variance"], value => Assert.Equal(1, value));
        }
    }

    [Fact]
    public void Momentum_Quick_GapIsLargeAtBothEndsAndTheLibraryWarnsThere()
    {
        using var folder = new TemporaryFolder();

        var result = Tool.Run(
            folder.Path, "reproduce", "momentum", "--quick", "--data", SampleTables.PathOf("letters.csv"), "--out", "out", "--seed", "3");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(
            ["out", "out/metrics.json", "out/nines.csv", "out/over-training.csv", "out/report.html"], folder.Files());
        using var metrics = JsonDocument.Parse(File.ReadAllText(folder.File("out/metrics.json")));
        var rules = metrics.RootElement.GetProperty("rules").EnumerateArray().ToArray();

        // Small in the middle; the noise of one mini-batch at one end, the first values at the other.
        var middle = Gap("PyTorch", 0.05);
        Assert.True(Gap("PyTorch", 1) > 3 * middle, $"last batch {Gap("PyTorch", 1)}, 0.05 {middle}");
        Assert.True(Gap("PyTorch", 0.001) > 3 * middle, $"0.001 {Gap("PyTorch", 0.001)}, 0.05 {middle}");
        Assert.True(Gap("PyTorch", 0) > Gap("PyTorch", 0.001));

        // Correcting the start helps where it had not been forgotten, and the conventions differ by the variance's bias alone.
        Assert.True(Gap("PyTorch", 0.001) > 2 * Gap("Corrected", 0.001));
        Assert.Equal(Gap("PyTorch", 0.05), Gap("Keras", 0.05), 0.01);

        Assert.Equal("–", Says("PyTorch", 0.05));
        Assert.StartsWith("warning: those of the last mini-batch", Says("PyTorch", 1), StringComparison.Ordinal);
        Assert.StartsWith("warning: far", Says("PyTorch", 0.0001), StringComparison.Ordinal);
        Assert.StartsWith("refused", Says("Keras", 0), StringComparison.Ordinal);

        double Gap(string convention, double newShare) =>
            Rule(convention, newShare).GetProperty("lossGaps").EnumerateArray().Last().GetDouble();

        string Says(string convention, double newShare) => Rule(convention, newShare).GetProperty("says").GetString()!;

        JsonElement Rule(string convention, double newShare) => rules
            .Where(rule => rule.GetProperty("convention").GetString() == convention)
            .Single(rule => Math.Abs(rule.GetProperty("newShare").GetDouble() - newShare) < 1e-6);
    }

    private static TrainingData Rows()
    {
        var random = new Random(2);
        var (features, targets) = (new float[256 * 5], new float[256 * 3]);
        foreach (ref var value in features.AsSpan()) value = (random.NextSingle() * 4) - 1;
        for (var row = 0; row < 256; row++) targets[(row * 3) + random.Next(3)] = 1;
        return new TrainingData(new SampleShape(5), 3, features, targets);
    }
}
