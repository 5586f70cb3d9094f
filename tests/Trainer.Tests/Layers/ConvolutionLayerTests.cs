using MlNetBatchNorm.Trainer.Tests.Gradients;

namespace MlNetBatchNorm.Trainer.Tests.Layers;

public class ConvolutionLayerTests
{
    [Theory]
    [InlineData(1, 1, 0, 1)]
    [InlineData(3, 1, 1, 1)]
    [InlineData(3, 2, 1, 1)]
    [InlineData(3, 2, 0, 2)]
    [InlineData(2, 3, 1, 2)]
    [InlineData(1, 2, 0, 1)]
    public void Train_RandomShapes_AgreesWithFiniteDifferences(int kernel, int stride, int padding, int groups) =>
        RandomShapes.ForAll(
            test =>
            {
                var layer = new ConvolutionLayer(2 * groups, [.. test.Shape.Sizes.Skip(1).Select(_ => kernel)]) { Stride = stride, Padding = padding, Groups = groups };
                Holds(layer, test);
            },
            minimumAxes: 1,
            minimumSize: 3,
            channelsMultiple: groups);

    [Fact]
    public void Train_Depthwise_AgreesWithFiniteDifferences() => RandomShapes.ForAll(
        test => Holds(new ConvolutionLayer((int)test.Shape.Channels, [3, 2]) { Padding = 1, Groups = (int)test.Shape.Channels }, test),
        minimumAxes: 2,
        minimumSize: 2);

    [Fact]
    public void Parameters_BeforeBatchNorm_HaveNoBias()
    {
        Assert.Contains(Network.Input(1, 8, 8).Conv2d(4, 3).Parameters, parameter => parameter.Name == "conv1.bias");
        Assert.DoesNotContain(Network.Input(1, 8, 8).Conv2d(4, 3).BatchNorm().Parameters, parameter => parameter.Name == "conv1.bias");
    }

    [Fact]
    public void Add_ShapesThatDoNotFit_SaysWhatTheLayerTakes()
    {
        Assert.Contains("[C, H, W]", Message(() => Network.Input(20).Conv2d(4, 3)), StringComparison.Ordinal);
        Assert.Contains("[C, L]", Message(() => Network.Input(3, 8, 8).Conv1d(4, 3)), StringComparison.Ordinal);
        Assert.Contains("larger than the 2 positions", Message(() => Network.Input(3, 2, 8).Conv2d(4, 3, padding: 0)), StringComparison.Ordinal);
        Assert.Contains("3 groups must divide", Message(() => Network.Input(4, 8, 8).Conv2d(6, 3, groups: 3)), StringComparison.Ordinal);
        Assert.Contains("Flatten()", Message(() => Network.Input(4, 8, 8).Dense(6)), StringComparison.Ordinal);
    }

    private static string Message(Func<object> build) => Assert.Throws<ArgumentException>(build).Message;

    private static void Holds(ConvolutionLayer layer, RandomShapes.Case test) => GradientCheck.Holds(
        layer,
        test.Shape,
        test.Rows,
        test.Seed,
        (x, parameters) => ConvolutionEquations.Convolve(x, test.Shape, layer.OutputShape(test.Shape), layer, parameters));
}
