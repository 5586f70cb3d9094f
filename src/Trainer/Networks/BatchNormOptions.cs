namespace MlNetBatchNorm;

/// <summary>
/// Batch normalization: how a layer computes, and how the batch normalizations of a whole network are placed and followed.
/// </summary>
/// <remarks>Options that are equal need not be equal objects: do not compare them.</remarks>
public sealed record BatchNormOptions
{
    /// <summary>Added to the variance under the root; a finite number from 0. Default: 1e-5, as PyTorch (Keras: 1e-3).</summary>
    public float Epsilon { get; init; } = 1e-5f;

    /// <summary>Whether a learned gamma scales the normalized values. Default: true; without, gamma is 1.</summary>
    public bool Scale { get; init; } = true;

    /// <summary>Whether a learned beta is added. Default: true; without, beta is 0.</summary>
    public bool Center { get; init; } = true;

    /// <summary>
    /// Whether gamma starts at 0 instead of 1. At the end of a residual block that makes the block start as the identity (Goyal et al.
    /// 2017, arXiv 1706.02677, section 5.1). Default: false. Needs <see cref="Scale"/>.
    /// </summary>
    public bool ZeroGamma { get; init; }

    /// <summary>
    /// Whether training, too, normalizes by the running statistics and leaves them as they are: for fine-tuning a trained network on
    /// batches that are small or unlike those it was trained on. Gamma and beta still learn. Default: false.
    /// </summary>
    public bool Frozen { get; init; }

    /// <summary>
    /// Rows in a slice of the mini-batch that is normalized by itself, at least 2 (ghost batch normalization, Hoffer et al. 2017,
    /// arXiv 1705.08741: large batches keep the noise of small ones). Null (the default) = the batch as a whole. A batch that is no
    /// multiple is dealt out evenly. The running statistics follow the mean of the slices'. Ignored when <see cref="Frozen"/>.
    /// </summary>
    public int? GhostBatchSize { get; init; }

    /// <summary>
    /// Where the normalizations of <see cref="Network.FeedForward"/> stand. Default: before the activation, as in the paper. A layer that
    /// is added by itself (<see cref="Network.BatchNorm(BatchNormOptions)"/>) stands where it is added.
    /// </summary>
    public BatchNormPlacement Placement { get; init; } = BatchNormPlacement.BeforeActivation;

    /// <summary>
    /// How the running mean and variance follow the batches'. Default: PyTorch's rule with momentum 0.1. One for all layers of a network:
    /// ML.NET's options hand it to the training; whoever calls <see cref="NetworkTrainer"/> says it in
    /// <see cref="TrainingOptions.Statistics"/>.
    /// </summary>
    public RunningStatistics Statistics { get; init; } = RunningStatistics.PyTorch();

    /// <summary>
    /// How far the exported statistics may be from those of the training rows before there is a warning; infinity = do not look. Default:
    /// 0.25; see <see cref="TrainingOptions.StatisticsTolerance"/> for the unit. It goes the same way as <see cref="Statistics"/>.
    /// </summary>
    public double StatisticsTolerance { get; init; } = 0.25;
}

/// <summary>Where the normalization stands in a hidden layer.</summary>
public enum BatchNormPlacement
{
    /// <summary>Between the weights and the activation, as in the paper; folds into the weights in front.</summary>
    BeforeActivation,

    /// <summary>Behind the activation, as many practitioners do; folds into the weights behind.</summary>
    AfterActivation,
}
