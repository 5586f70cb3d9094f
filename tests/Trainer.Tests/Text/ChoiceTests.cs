namespace MlNetBatchNorm.Trainer.Tests.Text;

/// <summary>Choices by name, as the tool's options and the text of networks have them.</summary>
public class ChoiceTests
{
    [Fact]
    public void Parse_EveryActivationAndInitializer_GivesBackWhatItsTextSays()
    {
        foreach (var text in new[] { "relu", "leakyrelu:0.2", "sigmoid", "tanh", "gelu", "silu", "softplus", "identity" })
            Assert.Equal(text, Activation.Parse(text.ToUpperInvariant()).Text);
        foreach (var text in new[] { "he", "heuniform", "glorot", "glorotnormal", "gaussian:0.01", "orthogonal:1.5", "zeros", "ones" })
            Assert.Equal(text, Initializer.Parse(text.ToUpperInvariant()).Text);
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
    [InlineData("constant", "constant")]
    [InlineData("cosine", "cosine")]
    [InlineData("cosine:0.1", "cosine after a warm-up over 0.1 of the steps")]
    [InlineData("warmup:0.2", "warm-up over 0.2 of the steps")]
    [InlineData("step", "times 0.1 at 0.5, 0.75 of the steps")]
    [InlineData("step:0.5,0.25", "times 0.5 at 0.25 of the steps")]
    public void Parse_Schedule_IsTheOneNamed(string text, string description) => Assert.Equal(description, Schedule.Parse(text).Description);

    [Fact]
    public void Parse_Optimizer_IsTheOneNamed()
    {
        Assert.Equal(Optimizer.Sgd(), Optimizer.Parse("sgd"));
        Assert.Equal(Optimizer.Sgd(0.2f, 0.9f, 0.01f), Optimizer.Parse("sgd:0.9", 0.2f, 0.01f));
        Assert.Equal(Optimizer.Nesterov(0.1f, 0.8f), Optimizer.Parse("nesterov:0.8"));
        Assert.Equal(Optimizer.Adam(0.01f), Optimizer.Parse("adam", 0.01f));
        Assert.Equal(Optimizer.AdamW(1e-3f, 0.1f), Optimizer.Parse("AdamW", weightDecay: 0.1f));
        Assert.Contains("use adamw", Assert.Throws<FormatException>(() => Optimizer.Parse("adam", weightDecay: 0.1f)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_RegressionLoss_IsTheOneNamed()
    {
        Assert.Equal(Loss.SquaredError, Loss.ParseRegression("squared"));
        Assert.Equal(Loss.AbsoluteError, Loss.ParseRegression("Absolute"));
        Assert.Equal(Loss.Huber(1.5f), Loss.ParseRegression("huber:1.5"));
    }

    [Theory]
    [InlineData("rmsprop", "'rmsprop' is not an optimizer; use sgd[:MOMENTUM], nesterov[:MOMENTUM], adam or adamw.")]
    [InlineData("adam:0.9", "'adam:0.9' is not an optimizer")]
    [InlineData("sgd:fast", "'fast' in 'sgd:fast' is not a number")]
    [InlineData("sgd:", "is not a number")]
    public void Parse_Mistake_SaysWhatThereIs(string text, string expected) =>
        Assert.Contains(expected, Assert.Throws<FormatException>(() => Optimizer.Parse(text)).Message, StringComparison.Ordinal);
}
