using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Transforms.Tasks;
using MlNetBatchNorm.Transforms.Tuning;

namespace MlNetBatchNorm.Transforms.Tests;

/// <summary>Which trials there are where the figures are given, and the settings that are drawn.</summary>
public sealed class SuccessiveHalvingTests
{
    private static readonly BatchNormNetworkOptions Given = new();
    private static readonly BatchNormNetworkOptions Usual = NetworkTask.Of(LearningTask.Binary).Complete(Given, 5000, 10);

    private static TuningSpace Space => new(Given, Usual);

    // 27 settings, of which the best third goes on (Li et al. 2018, table 1, the bracket of 27 with thirds): 26, 9 and 3, and the defaults.
    [Fact]
    public void Run_TwentySevenSettings_KeepsTheBestThirdOfEachRung()
    {
        var tuning = Run(trials: 27, number => number == 1 ? 50 : number);

        Assert.Equal([(1, 40), .. Enumerable.Range(2, 26).Select(n => (n, 5)), .. Enumerable.Range(2, 9).Select(n => (n, 14)), (2, 40),
            (3, 40), (4, 40)], tuning.Trials.Select(trial => (trial.Number, trial.Epochs)));
        Assert.Equal(2, tuning.Best.Number);
        Assert.Equal(48, tuning.Gain);
    }

    [Fact]
    public void Run_OthersAreWorse_StaysWithTheDefaults()
    {
        var tuning = Run(trials: 9, number => number);
        Assert.Equal(1, tuning.Best.Number);
        Assert.Equal(0, tuning.Gain);
        Assert.Equal(Given.HiddenLayers, tuning.BestOptions.HiddenLayers);
    }

    // Better by 1 on average, but by 3, 3, −1, −1 on the four folds: a standard error of √(16/3)/2 = 1.15.
    [Fact]
    public void Run_LeadWithinItsStandardError_StaysWithTheDefaults()
    {
        double[] others = [7, 7, 11, 11], wider = [8, 8, 10, 10];
        Assert.Equal(1, Run(2, number => 10, number => number == 1 ? [10, 10, 10, 10] : others).Best.Number);

        // The same lead with half the spread: 2, 2, 0, 0, a standard error of √(4/3)/2 = 0.58.
        var tuning = Run(2, number => 10, number => number == 1 ? [10, 10, 10, 10] : wider);
        Assert.Equal(2, tuning.Best.Number);
        Assert.Equal((1, Math.Sqrt(4.0 / 3) / 2), (tuning.Gain, tuning.GainError));
    }

    [Fact]
    public void Run_ATrialThatDiverged_IsNeverTaken()
    {
        var tuning = Run(trials: 4, number => number is 1 or 3 ? 5 : double.PositiveInfinity);
        Assert.True(double.IsFinite(tuning.Best.Score));
    }

    [Fact]
    public void Draw_AnyNumber_IsDistinctAndOfTheSameSeedTheSame()
    {
        var drawn = Space.Draw(7).Take(200).Select(settings => string.Join(' ', settings.Texts)).ToList();
        Assert.Equal(200, drawn.Distinct().Count());
        Assert.Equal(drawn.Take(20), Space.Draw(7).Take(20).Select(settings => string.Join(' ', settings.Texts)));
        Assert.NotEqual(drawn[1], string.Join(' ', Space.Draw(8).ElementAt(1).Texts));
    }

    [Fact]
    public void Draw_First_AreTheOptionsAsGiven()
    {
        var first = Space.Draw(1).First();
        Assert.Equal("the defaults", first.Changes);
        Assert.Same(Given, first.Options);
        Assert.Equal(
            ["width 64", "depth 2", "dropout 0.05", "rate 0.002", "decay 0.01", "members 8", "weights own", "numbers piecewise"],
            first.Texts.Select(setting => $"{setting.Key} {setting.Value}"));
    }

    [Fact]
    public void Draw_Settings_AreWhatTheirTextsSay()
    {
        foreach (var settings in Space.Draw(1).Take(300))
        {
            var complete = NetworkTask.Of(LearningTask.Binary).Complete(settings.Options, 5000, 10);
            complete.Validate();
            Assert.Equal(settings.Texts["width"], $"{complete.HiddenLayers![0]}");
            Assert.Equal(settings.Texts["depth"], $"{complete.HiddenLayers.Count}");
            Assert.Equal(settings.Texts["members"], $"{complete.Members}");
            Assert.Equal(settings.Texts["numbers"], $"{complete.NumericEncoding}");
            Assert.Equal(settings.Texts["weights"] == "shared", complete.SharedWeights);
            Assert.Equal(settings.Texts["rate"], FormattableString.Invariant($"{complete.Optimizer!.LearningRate}"));
            Assert.Equal(settings.Texts["decay"], FormattableString.Invariant($"{complete.Optimizer.WeightDecay}"));
            Assert.Equal(settings.Texts["dropout"], FormattableString.Invariant($"{complete.Dropout}"));
        }
    }

    [Fact]
    public void Space_OptionsThatAreGiven_AreNotTuned()
    {
        var given = new BatchNormNetworkOptions { HiddenLayers = [9, 5], Optimizer = Optimizer.Sgd(), EmbeddedFeatures = [3] };
        var space = new TuningSpace(given, NetworkTask.Of(LearningTask.Regression).Complete(given, 500, 10));
        Assert.Equal(
            ["dropout", "members", "weights", "numbers", "embeddings"], space.Draw(1).First().Texts.Keys);
        Assert.All(space.Draw(1).Take(50), settings => Assert.Equal([9, 5], settings.Options.HiddenLayers!));
        Assert.Contains(space.Draw(1).Take(50), settings => settings.Options.EmbeddingScale == 2);
    }

    private static BatchNormTuning Run(int trials, Func<int, double> score, Func<int, double[]>? scores = null) =>
        new SuccessiveHalving(40, trials, limit: null, TimeSpan.Zero).Run(Space.Draw(1), (settings, rung, epochs, _) => new BatchNormTrial(
            settings, rung, epochs, Metric.LogLoss, scores?.Invoke(settings.Number) ?? [score(settings.Number)], TimeSpan.Zero));
}
