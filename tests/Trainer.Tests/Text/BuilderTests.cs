using MlNetBatchNorm.Trainer.Layers;

namespace MlNetBatchNorm.Trainer.Tests.Text;

public class BuilderTests
{
    [Fact]
    public void Layers_OfABlock_ListsEachOnceWithItsOwnParameters()
    {
        var network = Network.Input(3, 8, 8)
            .Conv2d(4, 3)
            .Residual(body => body.Conv2d(4, 3).BatchNorm().Relu())
            .GlobalAveragePool()
            .Dense(2).Named("last");

        Assert.Equal(
            ["conv1", "residual1", "residual1/conv1", "residual1/batchnorm1", "residual1/relu1", "globalaveragepool1", "last"],
            network.Layers.Select(layer => layer.Name));
        Assert.Equal([112L, 0, 144, 8, 0, 0, 10], network.Layers.Select(layer => layer.ParameterCount));
        Assert.Equal(network.ParameterCount, network.Layers.Sum(layer => layer.ParameterCount));
        Assert.Equal("[4, 8, 8]", network.Layers[1].OutputShape.ToString());
        Assert.Equal("dense", network.Layers[^1].Kind);
    }

    [Theory]
    [InlineData("two words")]
    [InlineData("a/b")]
    [InlineData("a.b")]
    public void Named_WhatIsNoName_SaysSo(string name) => Assert.Contains(
        "one word", Assert.Throws<ArgumentException>(() => Network.Input(2).Dense(1).Named(name)).Message, StringComparison.Ordinal);

    [Fact]
    public void Named_WithoutALayer_SaysSo() => Assert.Throws<InvalidOperationException>(() => Network.Input(2).Named("first"));

    [Fact]
    public void FeedForward_EveryNormalizationAndPlace_IsWhereItShouldBe()
    {
        Assert.Equal("dense batchnorm relu dense", Kinds(Network.FeedForward(4, [8], 1)));
        Assert.Equal("dense relu dense", Kinds(Network.FeedForward(4, [8], 1, normalization: Normalization.None)));
        Assert.Equal("dense layernorm relu dense", Kinds(Network.FeedForward(4, [8], 1, normalization: Normalization.Layer())));
        var after = new BatchNormOptions { Placement = BatchNormPlacement.AfterActivation };
        Assert.Equal("dense relu batchnorm dense", Kinds(Network.FeedForward(4, [8], 1, normalization: Normalization.Batch(after))));
        Assert.Equal(
            "dense sigmoid groupnorm dropout dense",
            Kinds(Network.FeedForward(
                4, [8], 1, Activation.Sigmoid, Normalization.Group(2), BatchNormPlacement.AfterActivation, dropout: 0.5f)));

        static string Kinds(Network network) => string.Join(' ', network.Layers.Select(layer => layer.Kind));
    }

    [Fact]
    public void BatchNorm_Options_AllReachTheLayer()
    {
        var options = new BatchNormOptions { Epsilon = 0.5f, Center = false, ZeroGamma = true, Frozen = true, GhostBatchSize = 7 };
        var layer = Assert.IsType<BatchNormLayer>(Network.Input(2).BatchNorm(options).Sites[0].Layer);

        Assert.Equal(
            new BatchNormLayer { Epsilon = 0.5f, Center = false, ZeroGamma = true, Frozen = true, GhostBatchSize = 7 }, layer);
    }

    [Fact]
    public void Convolution_Options_SayTheShape()
    {
        Assert.Equal("[6, 4, 5]", Shape(new ConvolutionOptions { Stride = 2, Padding = 1, Groups = 3 }));
        Assert.Equal("[6, 7, 9]", Shape(new ConvolutionOptions()));
        Assert.Equal("[6, 7, 11]", Network.Input(3, 7, 9).Conv2d(6, 3, 1, new ConvolutionOptions { Padding = 1 }).OutputShape.ToString());

        static string Shape(ConvolutionOptions options) => Network.Input(3, 7, 9).Conv2d(6, 3, options).OutputShape.ToString();
    }

    [Fact]
    public void Custom_Initializer_FillsTheWeights()
    {
        var counted = Initializer.Custom("counted", (values, shape, _) =>
        {
            for (var i = 0; i < values.Length; i++) values[i] = (100 * shape[0]) + i;
        });
        var parameter = Network.Input(2).Dense(3, weights: counted).Parameters[0];
        var values = new float[6];
        parameter.Initializer.Fill(values, parameter.Shape, new Random(0));

        Assert.Equal([200, 201, 202, 203, 204, 205], values);
        Assert.Equal("counted", counted.ToString());
        Assert.Throws<ArgumentException>(() => Initializer.Custom("two words", (_, _, _) => { }));
    }

    [Fact]
    public void Custom_Schedule_IsAskedForEachStep()
    {
        var halved = LearningRateSchedule.Custom("halved", (step, steps) => step < steps / 2 ? 1 : 0.5);

        Assert.Equal([1, 1, 0.5f, 0.5f], Enumerable.Range(0, 4).Select(step => halved.Factor(step, 4)));
        Assert.Equal("halved", halved.ToString());
        var wrong = LearningRateSchedule.Custom("wrong", (step, _) => step == 3 ? double.NaN : 1);
        Assert.Contains("NaN for step 3", Assert.Throws<ArgumentException>(() => wrong.Factor(3, 4)).Message, StringComparison.Ordinal);
    }
}
