
namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>The network for the MNIST digits, and how it is trained. Nothing in it was chosen by looking at the test images.</summary>
internal static class MnistRecipe
{
    /// <summary>A small residual network (after He et al. 2015): 73,082 parameters.</summary>
    public static Network Network { get; } = Network.Input(1, 28, 28)
        .Conv2d(16, kernel: 3).BatchNorm().Relu()
        .MaxPool(2)
        .Residual(
            block => block
                .Conv2d(32, kernel: 3).BatchNorm().Relu()
                .Conv2d(32, kernel: 3).BatchNorm(),
            around => around.Conv2d(32, kernel: 1).BatchNorm())
        .Relu()
        .MaxPool(2)
        .Residual(
            block => block
                .Conv2d(64, kernel: 3).BatchNorm().Relu()
                .Conv2d(64, kernel: 3).BatchNorm(),
            around => around.Conv2d(64, kernel: 1).BatchNorm())
        .Relu()
        .GlobalAveragePool()
        .Dense(MnistFiles.Classes);

    /// <summary>Cross-entropy with a little smoothing: some digits are ambiguous, and nothing is gained by being sure of them.</summary>
    public static Loss Loss { get; } = Loss.SmoothedCrossEntropy(labelSmoothing: 0.1f);

    /// <summary>Passes over the images, a fixed number: there is no choice of an epoch.</summary>
    public const int Epochs = 10;

    /// <summary>Every training image takes part; each is moved by up to 2 pixels whenever it comes up.</summary>
    public static TrainingOptions Options { get; } = new()
    {
        BatchSize = 128,
        Epochs = Epochs,
        ValidationFraction = 0,
        Optimizer = Optimizer.AdamW(learningRate: 4e-3f, weightDecay: 0.05f),
        Schedule = LearningRateSchedule.Cosine(warmup: 0.1),
        Statistics = RunningStatistics.Population,
        Augmentation = Augmentation.Shift(2),
    };
}
