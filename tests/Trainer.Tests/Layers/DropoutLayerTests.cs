using MlNetBatchNorm.Trainer.Layers;
using MlNetBatchNorm.Trainer.Tests.Gradients;

namespace MlNetBatchNorm.Trainer.Tests.Layers;

/// <summary>Dropout against its definition (Srivastava et al. 2014, scaled in training): the mask is read off the forward pass.</summary>
public class DropoutLayerTests
{
    private const int Rows = 400;
    private static readonly SampleShape Shape = new(5, 10);

    [Theory]
    [InlineData(0.1f, false)]
    [InlineData(0.5f, false)]
    [InlineData(0.9f, false)]
    [InlineData(0.01f, true)]
    [InlineData(0.1f, true)]
    [InlineData(0.5f, true)]
    [InlineData(0.9f, true)]
    public void Train_AnyRate_KeepsEachValueScaledOrDropsItAndItsGradient(float rate, bool ownOperators)
    {
        using var probe = new LayerProbe(new DropoutLayer(rate), Shape, ownOperators: ownOperators);
        var random = new Random(3);

        // Away from 0, so that a 0 in the output is a value that was dropped.
        var x = Array.ConvertAll(GradientCheck.Values(random, Rows * (int)Shape.Count), value => value + (value < 0 ? -1 : 1));
        var dy = GradientCheck.Values(random, x.Length);
        var outputs = probe.Train(Rows, x, dy, new Dictionary<string, float[]>());
        var kept = 0;
        for (var i = 0; i < x.Length; i++)
        {
            var factor = outputs["y"][i] == 0 ? 0 : 1 / (1 - (double)rate);
            if (factor > 0) kept++;
            Assert.Equal(x[i] * factor, outputs["y"][i], 1e-5 * Math.Abs(x[i]) * Math.Max(1, factor));
            Assert.Equal(dy[i] * factor, outputs["dx"][i], 1e-5 * Math.Max(1, factor) * Math.Max(1, Math.Abs(dy[i])));
        }

        // Five standard deviations of a binomial share.
        Assert.Equal(1 - rate, (double)kept / x.Length, 5 * Math.Sqrt(rate * (1 - rate) / x.Length));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Train_NextStep_DrawsAnotherMask(bool ownOperators)
    {
        using var probe = new LayerProbe(new DropoutLayer(0.5f), Shape, ownOperators: ownOperators);
        var ones = new float[Rows * (int)Shape.Count];
        Array.Fill(ones, 1);
        var masks = Enumerable.Range(0, 3).Select(_ => probe.Train(Rows, ones, ones, new Dictionary<string, float[]>())["y"]).ToArray();
        foreach (var (one, other) in new[] { (masks[0], masks[1]), (masks[1], masks[2]), (masks[0], masks[2]) })
            Assert.Equal(0.5, one.Zip(other, (a, b) => a == b ? 1.0 : 0).Average(), 5 * 0.5 / Math.Sqrt(ones.Length));
    }

    [Fact]
    public void Train_NeighboursAndManySteps_AreDrawnByThemselves()
    {
        const int Steps = 200;
        using var probe = new LayerProbe(new DropoutLayer(0.5f), Shape, ownOperators: true);
        var ones = new float[Rows * (int)Shape.Count];
        Array.Fill(ones, 1);
        var (ofValue, pairs) = (new int[ones.Length], 0L);
        for (var step = 0; step < Steps; step++)
        {
            var y = probe.Train(Rows, ones, ones, new Dictionary<string, float[]>())["y"];
            for (var i = 0; i < y.Length; i++)
            {
                if (y[i] > 0) ofValue[i]++;
                if (i > 0 && y[i] > 0 && y[i - 1] > 0) pairs++;
            }
        }

        // A quarter of all neighbours are both kept, and how often a value is kept has the variance of a binomial number.
        var neighbours = (double)Steps * (ones.Length - 1);
        Assert.Equal(0.25, pairs / neighbours, 5 * Math.Sqrt(0.3125 / neighbours));
        var variance = ofValue.Average(count => Math.Pow(count - (Steps / 2.0), 2));
        Assert.Equal(Steps / 4.0, variance, 5 * Steps / 4.0 * Math.Sqrt(2.0 / ones.Length));
    }

    [Fact]
    public void Infer_AnyRate_ChangesNothing()
    {
        using var probe = new LayerProbe(new DropoutLayer(0.7f), Shape);
        var x = GradientCheck.Values(new Random(1), Rows * (int)Shape.Count);
        Assert.Equal(x, probe.Infer(Rows, x, new Dictionary<string, float[]>()));
    }
}
