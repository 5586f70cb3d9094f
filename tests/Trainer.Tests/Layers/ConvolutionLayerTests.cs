using MlNetBatchNorm.Trainer.Layers;
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
                var layer = new ConvolutionLayer(
                    2 * groups, [.. test.Shape.Sizes.Skip(1).Select(_ => kernel)])
                { Stride = stride, Padding = padding, Groups = groups };
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

    /// <summary>
    /// Kernel, stride, padding, input and output channels, positions. With 8 channels and more the products are laid out channels last,
    /// with some differences by the number of channels and positions: more than 64 channels, more outputs than twice the positions, large
    /// windows.
    /// </summary>
    public static TheoryData<int, int, int, int, int, long[]> ManyChannels => new()
    {
        { 3, 1, 1, 8, 6, [6, 5] },
        { 3, 1, 0, 8, 6, [6, 5] },
        { 3, 2, 1, 9, 6, [7, 6] },
        { 2, 2, 0, 8, 4, [5, 4] },
        { 5, 1, 2, 16, 4, [6, 7] },
        { 3, 3, 4, 8, 4, [5, 5] },
        { 1, 2, 0, 8, 8, [5, 5] },
        { 1, 1, 0, 8, 8, [5, 5] },
        { 3, 2, 1, 8, 6, [9] },
        { 3, 1, 1, 72, 40, [3, 3] },
        { 3, 1, 1, 16, 4, [32, 32] },
    };

    // Σ y·dy is linear in x and in the weights, so its derivative in a direction is the same sum with that direction in their place.
    [Theory]
    [MemberData(nameof(ManyChannels))]
    public void Train_ManyChannels_AgreesWithTheEquationsInRandomDirections(
        int kernel, int stride, int padding, int channels, int outputs, long[] positions)
    {
        const int Rows = 3;
        var input = new SampleShape([channels, .. positions]);
        var layer = new ConvolutionLayer(outputs, [.. positions.Select(_ => kernel)]) { Stride = stride, Padding = padding };
        using var probe = new LayerProbe(layer, input);
        var random = new Random(kernel + outputs);
        var x = GradientCheck.Values(random, Rows * (int)input.Count);
        var dy = GradientCheck.Values(random, Rows * (int)probe.Output.Count);
        var parameters = probe.Parameters.ToDictionary(
            parameter => parameter.Name, parameter => GradientCheck.Values(random, parameter.Count));
        var (weight, bias) = (parameters["conv1.weight"], parameters["conv1.bias"]);

        var actual = probe.Train(Rows, x, dy, parameters);

        GradientCheck.Close("y", Convolve(x, weight, bias), actual["y"], 1e-5);
        for (var direction = 0; direction < 8; direction++)
        {
            var (u, v, w) = (
                GradientCheck.Values(random, x.Length),
                GradientCheck.Values(random, weight.Length),
                GradientCheck.Values(random, bias.Length));
            Same("dx", Dot(Convolve(u, weight, new float[outputs]), dy), Dot(Exact(actual["dx"]), u));
            Same("dWeight", Dot(Convolve(x, v, new float[outputs]), dy), Dot(Exact(actual["d.conv1.weight"]), v));
            Same("dBias", Dot(Convolve(new float[x.Length], weight, w), dy), Dot(Exact(actual["d.conv1.bias"]), w));
        }

        double[] Convolve(float[] values, float[] weights, float[] biases) => ConvolutionEquations.Convolve(
            Exact(values),
            input,
            probe.Output,
            layer,
            new Dictionary<string, double[]> { ["weight"] = Exact(weights), ["bias"] = Exact(biases) });

        static double[] Exact(float[] values) => Array.ConvertAll(values, value => (double)value);

        static double Dot(IEnumerable<double> a, float[] b) => a.Zip(b, (left, right) => left * right).Sum();

        static void Same(string what, double expected, double actual) =>
            Assert.True(
                Math.Abs(expected - actual) <= 1e-4 * Math.Max(10, Math.Abs(expected)), $"{what}: {actual:R}, expected {expected:R}");
    }

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
        Assert.Contains(
            "larger than the 2 positions",
            Message(() => Network.Input(3, 2, 8).Conv2d(4, 3, new ConvolutionOptions { Padding = 0 })),
            StringComparison.Ordinal);
        Assert.Contains(
            "3 groups must divide",
            Message(() => Network.Input(4, 8, 8).Conv2d(6, 3, new ConvolutionOptions { Groups = 3 })),
            StringComparison.Ordinal);
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
