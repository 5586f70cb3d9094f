namespace MlNetBatchNorm.Trainer.Tests.Text;

/// <summary>Choices by name, as the tool's options and the text of networks have them.</summary>
public class ChoiceTests
{
    [Fact]
    public void Parse_EveryActivationAndInitializer_GivesBackWhatItsTextSays()
    {
        foreach (var text in new[] { "relu", "leakyrelu:0.2", "sigmoid", "tanh", "gelu", "silu", "softplus", "identity" })
            Assert.Equal(text, Activation.Parse(text.ToUpperInvariant()).ToString());
        string[] initializers =
            ["henormal", "heuniform", "glorotuniform", "glorotnormal", "normal:0.01", "orthogonal:1.5", "zeros", "ones"];
        foreach (var text in initializers)
            Assert.Equal(text, Initializer.Parse(text.ToUpperInvariant()).ToString());
    }

    [Theory]
    [InlineData("pytorch", 0.1, true, false)]
    [InlineData("pytorch:0.25", 0.25, true, false)]
    [InlineData("keras", 0.01, false, false)]
    [InlineData("Keras:0.9", 0.1, false, false)]
    [InlineData("debiased:0.5", 0.5, true, false)]
    [InlineData("cumulative", 1e-6, true, false)]
    [InlineData("population", 0.1, true, true)]
    public void Parse_Statistics_HasTheRate(string text, double rate, bool unbiased, bool isPopulation)
    {
        var statistics = RunningStatistics.Parse(text);
        Assert.Equal(rate, statistics.Rate(1_000_000), 1e-6);
        Assert.Equal((unbiased, isPopulation), (statistics.UnbiasedVariance, statistics.IsPopulation));
    }

    [Theory]
    [InlineData("constant", 1.0)]
    [InlineData("cosine", 0.5)]
    [InlineData("cosine:0.1", 0.5868240888334652)]
    [InlineData("warmup:0.8", 0.625)]
    [InlineData("step:0.1,0.5,0.75", 0.1)]
    [InlineData("step:0.5,0.25", 0.5)]
    public void Parse_Schedule_IsTheOneNamed(string text, double halfway)
    {
        var schedule = LearningRateSchedule.Parse(text.ToUpperInvariant());
        Assert.Equal(text, schedule.ToString());
        Assert.Equal(halfway, schedule.Factor(50, 101), 1e-6);
    }

    [Theory]
    [InlineData("pytorch:0.25")]
    [InlineData("keras:0.9")]
    [InlineData("average:0.3")]
    [InlineData("debiased:0.5")]
    [InlineData("biased-average:0.3")]
    [InlineData("biased-debiased:0.5")]
    [InlineData("cumulative")]
    [InlineData("population")]
    public void ToString_Statistics_IsWhatParseReads(string text) => Assert.Equal(text, RunningStatistics.Parse(text).ToString());

    [Fact]
    public void ToString_LossesClassWeightsNormalizationsOptimizers_AreWhatParseReads()
    {
        foreach (var text in new[] { "squared", "absolute", "huber:1.5", "sigmoid", "softmax" })
            Assert.Equal(text, Loss.Parse(text).ToString());
        foreach (var text in new[] { "balanced", "Yes=3,No=0.5" }) Assert.Equal(text, ClassWeights.Parse(text).ToString());
        foreach (var text in new[] { "batch", "layer", "group:8", "none" }) Assert.Equal(text, Normalization.Parse(text).ToString());
        foreach (var text in new[] { "sgd", "sgd:0.9", "nesterov:0.8", "adam", "adamw" })
            Assert.Equal(text, Optimizer.Parse(text).ToString());
    }

    [Fact]
    public void TryParse_WhatCannotBeRead_IsFalse()
    {
        Assert.False(Activation.TryParse("leakyrelu:2", out var activation));
        Assert.Null(activation);
        Assert.False(Loss.TryParse(null, out _));
        Assert.False(Optimizer.TryParse("adam:x", out _));
        Assert.True(Optimizer.TryParse("nesterov:0.8", out var optimizer));
        Assert.Equal("nesterov:0.8", optimizer.ToString());
        Assert.False(Normalization.TryParse("group:2.5", out _));
        Assert.False(Network.TryParse("dense", out var none, 4));
        Assert.Null(none);
        Assert.True(Network.TryParse("dense 3; relu", out var network, 4));
        Assert.Equal(3, network.OutputShape.Count);
        Assert.True(Initializer.TryParse("he", out var initializer));
        Assert.Equal(Initializer.HeNormal, initializer);
    }

    [Fact]
    public void Parse_Optimizer_IsTheOneNamed()
    {
        Assert.Equal(Optimizer.Sgd(), Optimizer.Parse("sgd"));
        Assert.Equal(Optimizer.Sgd(0.2f, 0.9f, 0.01f), Optimizer.Parse("sgd:0.9", 0.2f, 0.01f));
        Assert.Equal(Optimizer.Nesterov(0.1f, 0.8f), Optimizer.Parse("nesterov:0.8"));
        Assert.Equal(Optimizer.Adam(0.01f), Optimizer.Parse("adam", 0.01f));
        Assert.Equal(Optimizer.AdamW(1e-3f, 0.1f), Optimizer.Parse("AdamW", weightDecay: 0.1f));
        Assert.Contains(
            "use adamw",
            Assert.Throws<FormatException>(() => Optimizer.Parse("adam", weightDecay: 0.1f)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_RegressionLoss_IsTheOneNamed()
    {
        Assert.Equal(Loss.SquaredError, Loss.Parse("squared"));
        Assert.Equal(Loss.AbsoluteError, Loss.Parse("Absolute"));
        Assert.Equal(Loss.Huber(1.5f), Loss.Parse("huber:1.5"));
    }

    [Theory]
    [InlineData("rmsprop", "'rmsprop' is not an optimizer; use sgd[:MOMENTUM], nesterov[:MOMENTUM], adam or adamw.")]
    [InlineData("adam:0.9", "'adam:0.9' is not an optimizer")]
    [InlineData("sgd:fast", "'fast' in 'sgd:fast' is not a number")]
    [InlineData("sgd:", "is not a number")]
    public void Parse_Mistake_SaysWhatThereIs(string text, string expected) =>
        Assert.Contains(expected, Assert.Throws<FormatException>(() => Optimizer.Parse(text)).Message, StringComparison.Ordinal);
}
