using MlNetBatchNorm.Trainer.Layers;
using MlNetBatchNorm.Trainer.Tests.Gradients;

namespace MlNetBatchNorm.Trainer.Tests.Layers;

public class PoolingLayerTests
{
    public static TheoryData<int, int, int> Windows => new() { { 2, 2, 0 }, { 3, 2, 1 }, { 2, 1, 0 }, { 3, 1, 1 }, { 2, 3, 1 } };

    [Theory]
    [MemberData(nameof(Windows))]
    public void MaxPool_RandomShapes_AgreesWithFiniteDifferences(int size, int stride, int padding)
    {
        var layer = new MaxPoolLayer(size) { Stride = stride, Padding = padding };
        ForAll(test => GradientCheck.Holds(
            layer, test.Shape, test.Rows, test.Seed, (x, _) => ConvolutionEquations.Pool(
                x, test.Shape, layer.OutputShape(test.Shape), size, stride, padding, largest: true)));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void MaxPool_WindowsThatTile_AgreesWithFiniteDifferences(int size) => RandomShapes.ForAll(
        test =>
        {
            var shape = new SampleShape([test.Shape.Channels, .. test.Shape.Sizes.Skip(1).Select(length => length * size)]);
            var layer = new MaxPoolLayer(size);
            GradientCheck.Holds(
                layer, shape, test.Rows, test.Seed, (x, _) => ConvolutionEquations.Pool(
                    x, shape, layer.OutputShape(shape), size, size, 0, largest: true));
        },
        minimumAxes: 1);

    [Fact]
    public void MaxPool_EqualValuesInAWindow_ShareItsGradientEvenly()
    {
        using var probe = new LayerProbe(new MaxPoolLayer(2), new SampleShape(1, 2, 4));

        var outputs = probe.Train(1, [3, 3, 0, 0, 1, 3, 0, 0], [6, 8], new Dictionary<string, float[]>());

        Assert.Equal([3, 0], outputs["y"]);
        GradientCheck.Close("dx", [2, 2, 2, 2, 0, 2, 2, 2], outputs["dx"], 1e-6);
    }

    [Theory]
    [MemberData(nameof(Windows))]
    public void AveragePool_RandomShapes_AgreesWithFiniteDifferences(int size, int stride, int padding)
    {
        var layer = new AveragePoolLayer(size) { Stride = stride, Padding = padding };
        ForAll(test => GradientCheck.Holds(
            layer, test.Shape, test.Rows, test.Seed, (x, _) => ConvolutionEquations.Pool(
                x, test.Shape, layer.OutputShape(test.Shape), size, stride, padding, largest: false)));
    }

    [Fact]
    public void GlobalAveragePool_RandomShapes_AgreesWithFiniteDifferences() => ForAll(test => GradientCheck.Holds(
        new GlobalAveragePoolLayer(),
        test.Shape,
        test.Rows,
        test.Seed,
        (x, _) => [.. x.Chunk((int)test.Shape.Positions).Select(values => values.Average())]));

    [Fact]
    public void Flatten_RandomShapes_KeepsTheOrder() => ForAll(test => GradientCheck.Holds(
        new FlattenLayer(), test.Shape, test.Rows, test.Seed, (x, _) => [.. x]));

    [Fact]
    public void Add_ShapesThatDoNotFit_SaysWhatTheLayerTakes()
    {
        Assert.Contains(
            "[C, L] or [C, H, W]",
            Assert.Throws<ArgumentException>(() => Network.Input(4).GlobalAveragePool()).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "less than its size",
            Assert.Throws<ArgumentException>(() => Network.Input(4, 8).MaxPool(2, padding: 2)).Message,
            StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Network.Input(4).MaxPool(2));
    }

    private static void ForAll(Action<RandomShapes.Case> check) => RandomShapes.ForAll(check, minimumAxes: 1, minimumSize: 3);
}
