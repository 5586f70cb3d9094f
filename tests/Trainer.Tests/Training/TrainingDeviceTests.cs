using MlNetBatchNorm.Onnx.Tests.Execution;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Trainer.Tests.Training;

public sealed class TrainingDeviceTests
{
    [GpuFact]
    [Trait("Category", "Gpu")]
    public void Run_OnTheGpu_GivesTheNumbersOfTheCpu()
    {
        var expected = Train(new ExecutionOptions());
        var actual = Train(new ExecutionOptions { Device = Device.Cuda() });
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 1e-4f);
    }

    // The losses of ten steps, and a weight matrix after them.
    private static float[] Train(ExecutionOptions settings)
    {
        var random = new Random(1);
        using var step = new TrainingStep(
            Network.FeedForward(4, [8], 1), Loss.SquaredError, Optimizer.AdamW(1e-2f),
            RunningStatistics.PyTorch(), 16, random, settings: settings);
        var losses = new List<float>();
        for (var i = 0; i < 10; i++)
        {
            foreach (ref var value in step.Features.Span) value = random.NextSingle();
            for (var row = 0; row < 16; row++) step.Targets.Span[row] = step.Features.Span[row * 4];
            losses.Add(step.Run(16, 0.01f));
        }

        return [.. losses, .. step.Parameter("dense1.weight")];
    }
}
