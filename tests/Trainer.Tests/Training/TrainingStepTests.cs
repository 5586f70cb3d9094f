using MlNetBatchNorm.Trainer.Tests.Fixtures;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Trainer.Tests.Training;

public class TrainingStepTests
{
    private static readonly float[] Batch = [1, 10, 2, 30, 4, 20, 9, 40];

    [Fact]
    public void Run_KerasStatistics_FollowTheirFormula()
    {
        const double Momentum = 0.9;
        using var step = NewStep(Network.Input(2).BatchNorm(1e-3f).Dense(1), RunningStatistics.Keras((float)Momentum));
        double[] mean = [0, 0], variance = [1, 1];
        for (var i = 1; i <= 5; i++)
        {
            step.Run(4, 0.1f);
            for (var channel = 0; channel < 2; channel++)
            {
                var values = Batch.Where((_, index) => index % 2 == channel).Select(value => (double)value).ToArray();
                var batchMean = values.Average();
                // The biased variance: the sum of squares over m, not m − 1.
                var batchVariance = values.Sum(value => (value - batchMean) * (value - batchMean)) / values.Length;
                mean[channel] = (Momentum * mean[channel]) + ((1 - Momentum) * batchMean);
                variance[channel] = (Momentum * variance[channel]) + ((1 - Momentum) * batchVariance);
            }

            Closeness.Require(mean, step.Parameter("batchnorm1.mean"), 1e-6, "The running mean");
            Closeness.Require(variance, step.Parameter("batchnorm1.variance"), 1e-6, "The running variance");
        }
    }

    [Fact]
    public void Run_ThousandSteps_AllocatesNothing()
    {
        using var step = NewStep(Network.Input(2).Dense(8).BatchNorm().Relu().Dense(1), RunningStatistics.PyTorch(), Optimizer.AdamW());
        // Both directions between the two buffer sets, and both batch sizes, are bound at first use.
        for (var i = 0; i < 4; i++) step.Run(4 - (i % 2), 0.001f);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) step.Run(4 - (i % 2), 0.001f);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Run_RowWeights_CountAsRepeatedRows()
    {
        // Without batch normalization, whose statistics know no weights.
        var network = Network.Input(2).Dense(3).Tanh().Dense(1);
        using var repeated = NewStep(network, RunningStatistics.PyTorch(), batchSize: 3);
        using var weighted = NewStep(network, RunningStatistics.PyTorch(), batchSize: 2, weighted: true);
        float[] rows = [0.5f, -1, 0.5f, -1, 2, 1];
        float[] targets = [1, 1, -2];
        rows.CopyTo(repeated.Features.Span);
        targets.CopyTo(repeated.Targets.Span);
        rows.AsSpan(2).CopyTo(weighted.Features.Span);
        targets.AsSpan(1).CopyTo(weighted.Targets.Span);
        // 2 : 1, with a mean of 1.
        weighted.RowWeights[0] = 4f / 3;
        weighted.RowWeights[1] = 2f / 3;

        var losses = (repeated.Run(3, 0.1f), weighted.Run(2, 0.1f));

        Assert.Equal(losses.Item1, losses.Item2, 1e-6f);
        foreach (var parameter in network.Parameters)
            Closeness.Require(
                [.. repeated.Parameter(parameter.Name).ToArray().Select(value => (double)value)],
                weighted.Parameter(parameter.Name),
                1e-6,
                parameter.Name);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public void Run_RowsOutsideTheBuffers_Throws(int rows)
    {
        using var step = NewStep(Network.Input(2).Dense(1), RunningStatistics.PyTorch());
        Assert.Throws<ArgumentOutOfRangeException>(() => step.Run(rows, 0.1f));
    }

    private static TrainingStep NewStep(
        Network network, RunningStatistics statistics, Optimizer? optimizer = null, int batchSize = 4, bool weighted = false)
    {
        var step = new TrainingStep(
            network, Loss.SquaredError, optimizer ?? Optimizer.Sgd(), statistics, batchSize, new Random(7), weighted);
        Batch.AsSpan(0, Math.Min(Batch.Length, step.Features.Length)).CopyTo(step.Features.Span);
        step.Targets.Span.Fill(0.5f);
        return step;
    }
}
