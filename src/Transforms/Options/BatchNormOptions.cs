using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>The batch normalizations of a <see cref="BatchNormNetworkOptions"/>.</summary>
public sealed record BatchNormOptions
{
    /// <summary>How the running mean and variance follow the batches'. Default: PyTorch's rule with momentum 0.1.</summary>
    public RunningStatistics Statistics { get; init; } = RunningStatistics.PyTorch();

    /// <summary>Added to the variance under the root. Default: 1e-5.</summary>
    public float Epsilon { get; init; } = 1e-5f;

    /// <summary>Whether a learned gamma scales the normalized values. Default: true.</summary>
    public bool Scale { get; init; } = true;

    /// <summary>Whether a learned beta is added. Default: true.</summary>
    public bool Center { get; init; } = true;

    /// <summary>
    /// Rows in a slice of the mini-batch that is normalized by itself, at least 2; null (the default) = the mini-batch as a whole. For
    /// large batches; see <see cref="BatchNormLayer.GhostBatchSize"/>.
    /// </summary>
    public int? GhostBatchSize { get; init; }

    /// <summary>Where the normalizations stand, or that there are none. Default: before the activation, as in the paper.</summary>
    public BatchNormPlacement Placement { get; init; } = BatchNormPlacement.BeforeActivation;

    /// <summary>
    /// How far the exported statistics may be from those of the training rows before <see cref="BatchNormNetworkOptions.Warning"/> is
    /// called; infinity = do not look. Default: 0.25; see <see cref="TrainingOptions.StatisticsTolerance"/> for the unit.
    /// </summary>
    public double StatisticsTolerance { get; init; } = new TrainingOptions().StatisticsTolerance;

    internal BatchNormLayer CreateLayer() => new() { Epsilon = Epsilon, Scale = Scale, Center = Center, GhostBatchSize = GhostBatchSize };
}
