using MlNetBatchNorm.Trainer.Layers;
using MlNetBatchNorm.Trainer.Tests.Gradients;

namespace MlNetBatchNorm.Trainer.Tests.Layers;

public class SimpleLayerTests
{
    private static readonly Dictionary<string, Func<double, double>> Functions = new()
    {
        ["relu"] = x => Math.Max(x, 0),
        ["leakyrelu"] = x => x > 0 ? x : 0.01 * x,
        ["sigmoid"] = Sigmoid,
        ["tanh"] = Math.Tanh,
        ["gelu"] = x => x * NormalDistribution(x),
        ["silu"] = x => x * Sigmoid(x),
        ["softplus"] = x => Math.Log(1 + Math.Exp(x)),
        ["identity"] = x => x,
    };

    public static TheoryData<string> Names => [.. Functions.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Activation_RandomShapes_AgreesWithFiniteDifferences(string name) => RandomShapes.ForAll(test => GradientCheck.Holds(
        new ActivationLayer(Activation.Parse(name)), test.Shape, test.Rows, test.Seed, (x, _) => Array.ConvertAll(
            x, value => Functions[name](value))));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Dense_RandomShapes_AgreesWithFiniteDifferences(bool bias) => RandomShapes.ForAll(
        test =>
        {
            var inputs = (int)test.Shape.Channels;
            GradientCheck.Holds(new DenseLayer(3) { Bias = bias }, test.Shape, test.Rows, test.Seed, (x, parameters) =>
            [
                .. from row in Enumerable.Range(0, x.Length / inputs)
                   from unit in Enumerable.Range(0, 3)
                   select Enumerable.Range(0, inputs).Sum(i => x[(row * inputs) + i] * parameters["weight"][(i * 3) + unit])
                       + (bias ? parameters["bias"][unit] : 0),
            ]);
        },
        maximumAxes: 0);

    [Fact]
    public void Residual_IdentityAround_AddsTheInput() => RandomShapes.ForAll(
        test =>
        {
            var channels = (int)test.Shape.Channels;
            var body = Network.Input(channels).Dense(channels, bias: false).Tanh();
            GradientCheck.Holds(
                new ResidualLayer(body.Stack),
                test.Shape,
                test.Rows,
                test.Seed,
                (x, parameters) => Residual(x, channels, parameters, null));
        },
        maximumAxes: 0);

    [Fact]
    public void Residual_Projection_AddsIt() => RandomShapes.ForAll(
        test =>
        {
            var channels = (int)test.Shape.Channels;
            var empty = Network.Input(channels);
            var layer = new ResidualLayer(empty.Dense(channels, bias: false).Tanh().Stack)
            {
                Projection = empty.Dense(channels, bias: false).Stack,
            };
            GradientCheck.Holds(
                layer, test.Shape, test.Rows, test.Seed, (x, parameters) => Residual(x, channels, parameters, "projection/dense1.weight"));
        },
        maximumAxes: 0);

    [Fact]
    public void Residual_ShapesThatDiffer_AsksForAProjection() => Assert.Contains(
        "give a projection",
        Assert.Throws<ArgumentException>(() => Network.Input(4).Residual(body => body.Dense(5))).Message,
        StringComparison.Ordinal);

    [Fact]
    public void Residual_ZeroGammaAtTheEnd_StartsAsTheIdentity()
    {
        var layer = new ResidualLayer(Network.Input(3).Dense(3).BatchNorm(zeroGamma: true).Stack);
        using var probe = new LayerProbe(layer, new SampleShape(3));
        var x = GradientCheck.Values(new Random(1), 12);
        var parameters = probe.Parameters.ToDictionary(parameter => parameter.Name, parameter =>
        {
            var values = new float[parameter.Count];
            parameter.Initializer.Fill(values, parameter.Shape, new Random(1));
            return values;
        });
        Assert.Equal(x, probe.Train(4, x, x, parameters)["y"]);
    }

    [Fact]
    public void ToString_NestedLayers_ListsEachWithItsParameters()
    {
        var table = Network.Input(3, 8, 8).Conv2d(4, 3).Residual(
            body => body.Conv2d(4, 3).BatchNorm()).GlobalAveragePool().Dense(2).Summary();
        Assert.Contains("residual1/conv1", table, StringComparison.Ordinal);
        Assert.Contains("[4, 8, 8]", table, StringComparison.Ordinal);
        Assert.Contains("282", table.Split('\n')[^2], StringComparison.Ordinal);
    }

    // Names inside a block: "dense1.weight" of the body, since the probe's own names end at the first dot or slash.
    private static double[] Residual(double[] x, int channels, IReadOnlyDictionary<string, double[]> parameters, string? projection)
    {
        var y = new double[x.Length];
        for (var i = 0; i < y.Length; i++)
        {
            var (row, unit) = (i / channels, i % channels);
            y[i] = Math.Tanh(Product("dense1.weight")) + (projection is null ? x[i] : Product(projection));

            double Product(string weight) =>
                Enumerable.Range(0, channels).Sum(c => x[(row * channels) + c] * parameters[weight][(c * channels) + unit]);
        }

        return y;
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    // Φ by Simpson's rule from 0: exact to 1e-12 for the values that occur.
    private static double NormalDistribution(double x)
    {
        const int steps = 2000;
        var h = x / steps;
        var sum = 0.0;
        for (var i = 0; i <= steps; i++) sum += (i == 0 || i == steps ? 1 : i % 2 == 1 ? 4 : 2) * Math.Exp(-i * h * i * h / 2);
        return 0.5 + (sum * h / 3 / Math.Sqrt(2 * Math.PI));
    }
}
