using MlNetBatchNorm.Trainer.Layers;
using MlNetBatchNorm.Trainer.Tests.Gradients;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Trainer.Tests.Layers;

public class RowNormalizationTests
{
    private const float Epsilon = 1e-2f;

    [Fact]
    public void LayerNorm_RandomShapes_AgreesWithFiniteDifferences() => RandomShapes.ForAll(test => GradientCheck.Holds(
        new LayerNormLayer { Epsilon = Epsilon },
        test.Shape,
        test.Rows,
        test.Seed,
        (x, parameters) => Affine(Normalize(x, (int)test.Shape.Count), parameters, index => index % (int)test.Shape.Count)));

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void GroupNorm_RandomShapes_AgreesWithFiniteDifferences(int groups) => RandomShapes.ForAll(
        test => GradientCheck.Holds(
            new GroupNormLayer(groups) { Epsilon = Epsilon },
            test.Shape,
            test.Rows,
            test.Seed,
            (x, parameters) => Affine(
                Normalize(x, (int)test.Shape.Count / groups),
                parameters,
                index => index / (int)test.Shape.Positions % (int)test.Shape.Channels)),
        channelsMultiple: groups);

    [Fact]
    public void Step_OneRow_Learns()
    {
        using var step = new TrainingStep(
            Network.Input(4).Dense(3).LayerNorm().Dense(1), Loss.SquaredError, Optimizer.Sgd(),
            RunningStatistics.PyTorch(), 1, new Random(1));
        GradientCheck.Values(new Random(1), 4).CopyTo(step.Features.Span);
        step.Targets.Span[0] = 1;
        var first = step.Run(1, 0.05f);
        for (var i = 0; i < 20; i++) step.Run(1, 0.05f);
        Assert.True(step.Run(1, 0.05f) < first / 10);
    }

    private static double[] Normalize(double[] x, int group) =>
    [
        .. x.Chunk(group).SelectMany(values =>
        {
            var mean = values.Average();
            var variance = values.Average(value => (value - mean) * (value - mean));
            return values.Select(value => (value - mean) / Math.Sqrt(variance + Epsilon));
        }),
    ];

    private static double[] Affine(double[] normalized, IReadOnlyDictionary<string, double[]> parameters, Func<int, int> indexOf) =>
        [.. normalized.Select((value, index) => (value * parameters["gamma"][indexOf(index)]) + parameters["beta"][indexOf(index)])];
}
