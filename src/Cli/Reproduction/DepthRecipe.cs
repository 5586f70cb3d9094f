
namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>
/// Networks of growing depth, with batch normalization and without, alike in everything else: the claim of Ioffe and Szegedy (2015) is that
/// with it deeper networks can be trained, and at higher rates. Nothing here was chosen by looking at the test rows.
/// </summary>
internal static class DepthRecipe
{
    private const int Units = 64;
    private const int BatchSize = 128;

    /// <summary>Hidden layers.</summary>
    public static IReadOnlyList<int> Depths { get; } = [5, 10, 20, 50];

    /// <summary>The learning rates, a careful one and a high one.</summary>
    public static IReadOnlyList<float> LearningRates { get; } = [0.01f, 0.1f];

    /// <summary>Passes over the training rows, a fixed number: there is no choice of an epoch.</summary>
    public const int Epochs = 10;

    /// <summary>
    /// So many times a dense layer of 64 units and a relu (first weights: He), with or without a batch normalization between them.
    /// </summary>
    public static Network CreateNetwork(int features, int classes, int hiddenLayers, bool batchNorm) => Network.FeedForward(
        features,
        [.. Enumerable.Repeat(Units, hiddenLayers)],
        classes,
        Activation.Relu,
        normalization: batchNorm ? Normalization.Batch() : Normalization.None);

    /// <summary>Stochastic gradient descent with momentum 0.9, at one rate from the first step to the last.</summary>
    public static TrainingOptions CreateOptions(float learningRate, int epochs, int seed) => new()
    {
        BatchSize = BatchSize,
        Epochs = epochs,
        ValidationFraction = 0,
        Optimizer = Optimizer.Sgd(learningRate, momentum: 0.9f),
        Statistics = RunningStatistics.Population,
        StatisticsTolerance = double.PositiveInfinity,
        Seed = seed,
    };
}
