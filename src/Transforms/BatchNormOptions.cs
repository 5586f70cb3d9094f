using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>The batch normalizations of a <see cref="BatchNormNetworkOptions"/>.</summary>
public sealed record BatchNormOptions
{
    /// <summary>How the running mean and variance follow the batches'. Default: PyTorch's rule with momentum 0.1.</summary>
    public RunningStatistics Statistics { get; init; } = RunningStatistics.PyTorch();

    /// <summary>Added to the variance under the root. Default: 1e-5.</summary>
    public float Epsilon { get; init; } = 1e-5f;

    /// <summary>Where they stand. Default: before the activation, as in the paper.</summary>
    public BatchNormPlacement Placement { get; init; } = BatchNormPlacement.BeforeActivation;
}
