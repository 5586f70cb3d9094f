using System.Diagnostics.CodeAnalysis;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Layers;
using MlNetBatchNorm.Trainer.Text;

namespace MlNetBatchNorm;

/// <summary>
/// What normalizes the hidden layers of a network (<see cref="Network.FeedForward"/>): over the mini-batch, each row, groups, or nothing.
/// </summary>
public abstract record Normalization
{
    private protected Normalization()
    {
    }

    /// <summary>No normalization: a plain network, for comparison.</summary>
    public static Normalization None { get; } = new NoNormalization();

    /// <summary>Whether it is batch normalization.</summary>
    internal virtual bool IsBatch => false;

    /// <summary>Where it stands in a hidden layer.</summary>
    internal virtual BatchNormPlacement Placement => BatchNormPlacement.BeforeActivation;

    /// <summary>
    /// Batch normalization (Ioffe and Szegedy 2015, arXiv 1502.03167): each channel over the mini-batch; folded away at export.
    /// </summary>
    /// <param name="options">How it computes and where it stands; null = the defaults.</param>
    public static Normalization Batch(BatchNormOptions? options = null) => new BatchNormalization(options ?? new BatchNormOptions());

    /// <summary>
    /// Layer normalization (Ba et al. 2016, arXiv 1607.06450): each row by itself, for batches that are tiny. It is not folded.
    /// </summary>
    /// <param name="epsilon">Added to the variance under the root; a finite number from 0. Default: 1e-5.</param>
    public static Normalization Layer(float epsilon = 1e-5f) => new LayerNormalization(epsilon);

    /// <summary>Group normalization (Wu and He 2018, arXiv 1803.08494): groups of a row's channels. It is not folded.</summary>
    /// <param name="groups">The groups that the channels (units) of each layer are divided into; at least 1.</param>
    /// <param name="epsilon">Added to the variance under the root; a finite number from 0. Default: 1e-5.</param>
    public static Normalization Group(int groups, float epsilon = 1e-5f)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(groups, 1);
        return new GroupNormalization(groups, epsilon);
    }

    /// <summary>Reads a name, in any case: batch, layer, group:GROUPS or none.</summary>
    /// <exception cref="FormatException">Another name.</exception>
    public static Normalization Parse(string text) => Choice.Read(text) switch
    {
        ("batch", []) => Batch(),
        ("layer", []) => Layer(),
        ("group", [var groups]) when groups is >= 1 and <= int.MaxValue && double.IsInteger(groups) => Group((int)groups),
        ("none", []) => None,
        var other => throw other.Unknown("a normalization", "batch, layer, group:GROUPS or none"),
    };

    /// <summary>Reads a text as <see cref="Parse"/> does, without an exception.</summary>
    /// <param name="text">The text; null is none.</param>
    /// <param name="result">What it says; null when it could not be read.</param>
    /// <returns>Whether it could be read.</returns>
    public static bool TryParse(string? text, [NotNullWhen(true)] out Normalization? result) => Choice.TryParse(Parse, text, out result);

    /// <summary>
    /// The kind as <see cref="Parse"/> reads it, without epsilon and the options of a batch normalization: <c>group:8</c>.
    /// </summary>
    public sealed override string ToString() => Text;

    /// <summary>The layer of a batch normalization with some options.</summary>
    internal static BatchNormLayer Create(BatchNormOptions options) => new()
    {
        Epsilon = options.Epsilon,
        Scale = options.Scale,
        Center = options.Center,
        ZeroGamma = options.ZeroGamma,
        Frozen = options.Frozen,
        GhostBatchSize = options.GhostBatchSize,
    };

    /// <summary>The layer that does it; null = none.</summary>
    internal abstract Layer? CreateLayer();

    private protected abstract string Text { get; }

    private sealed record NoNormalization : Normalization
    {
        private protected override string Text => "none";

        internal override Layer? CreateLayer() => null;
    }

    private sealed record BatchNormalization(BatchNormOptions Options) : Normalization
    {
        internal override bool IsBatch => true;

        internal override BatchNormPlacement Placement => Options.Placement;

        private protected override string Text => "batch";

        internal override Layer CreateLayer() => Create(Options);
    }

    private sealed record LayerNormalization(float Epsilon) : Normalization
    {
        private protected override string Text => "layer";

        internal override Layer CreateLayer() => new LayerNormLayer { Epsilon = Epsilon };
    }

    private sealed record GroupNormalization(int Groups, float Epsilon) : Normalization
    {
        private protected override string Text => $"group:{Groups}";

        internal override Layer CreateLayer() => new GroupNormLayer(Groups) { Epsilon = Epsilon };
    }
}

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
