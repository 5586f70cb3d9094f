using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm;

/// <summary>How a network is trained.</summary>
public sealed record TrainingOptions
{
    /// <summary>
    /// The most rows in a mini-batch, at least 2 where there is a batch normalization of plain features. The last one of an epoch has what
    /// is left; for an ensemble all of an epoch have one size, as near as it goes. Default: 128.
    /// </summary>
    public int BatchSize { get; init; } = 128;

    /// <summary>The most passes over the training rows. Default: 30.</summary>
    public int Epochs { get; init; } = 30;

    /// <summary>
    /// Epochs without a better validation loss after which training stops; 0 = never. Default: 8. Ignored without validation rows.
    /// </summary>
    public int EarlyStoppingPatience { get; init; } = 8;

    /// <summary>
    /// The share of rows held out to measure each epoch by, from 0 (none) to below 1. They are drawn at random by the seed, of each class
    /// its share, one row of each at least staying to learn from. Default: 0.1. Ignored when validation rows are given.
    /// </summary>
    public double ValidationFraction { get; init; } = 0.1;

    /// <summary>The optimizer. Default: AdamW.</summary>
    public Optimizer Optimizer { get; init; } = Optimizer.AdamW();

    /// <summary>How the learning rate changes. Default: constant.</summary>
    public LearningRateSchedule Schedule { get; init; } = LearningRateSchedule.Constant;

    /// <summary>
    /// The largest norm of the gradients of all parameters together, above 0; longer gradients are shortened to it before the optimizer
    /// sees them (Pascanu et al. 2013). Default: null, no limit.
    /// </summary>
    public float? MaximumGradientNorm { get; init; }

    /// <summary>
    /// How much of an average of the weights stays at each step, from 0 (the default: no average) to below 1, as 0.999. The average is
    /// what is measured after each epoch, kept as the best and exported: at step t, a ← a + r·(w − a) with r the larger of
    /// 1 − WeightAveraging and 10/(9 + t), so that it reaches back over a tenth of the steps so far at most. Running statistics stay
    /// those of <see cref="Statistics"/>, which follow the weights themselves; <see cref="RunningStatistics.Population"/> measures them for
    /// the average.
    /// </summary>
    public float WeightAveraging { get; init; }

    /// <summary>The rule of the running statistics. Default: PyTorch's.</summary>
    public RunningStatistics Statistics { get; init; } = RunningStatistics.PyTorch();

    /// <summary>Whether to bring the input to mean 0 and variance 1 for each channel. Default: true.</summary>
    public bool StandardizeFeatures { get; init; } = true;

    /// <summary>
    /// How many standard deviations from its mean an input may be; what is farther is brought to that bound, in training and in the
    /// exported model, so that a single wild value cannot drive a prediction. Above 0; infinity = no bound. Default: 5. Ignored without
    /// <see cref="StandardizeFeatures"/>.
    /// </summary>
    public float FeatureClip { get; init; } = 5;

    /// <summary>
    /// Whether to learn numbers (squared error, Huber, absolute error) in standard deviations from their mean, so that learning rates mean
    /// the same in every unit. The last layer, which has to be a dense one, is scaled back afterwards: the trained network and its metrics
    /// are in the target's own unit; only the losses in the <see cref="EpochReport"/>s are not. Default: true. Ignored for classes.
    /// </summary>
    public bool StandardizeTargets { get; init; } = true;

    /// <summary>
    /// What the network sees of a feature that is a number. Features of 0 and 1 stay as they are with anything but
    /// <see cref="NumericEncoding.Standardize"/>, the default, which <see cref="StandardizeFeatures"/> and <see cref="FeatureClip"/> are
    /// about. The network, made for rows of plain features, then gets rows of another width; <see cref="TrainedNetwork.Network"/> is that
    /// one.
    /// </summary>
    public NumericEncoding NumericEncoding { get; init; } = NumericEncoding.Standardize;

    /// <summary>
    /// The features that are numbers of categories, by their places in a row, from 0: whole numbers from 1 to 1,000,000, and 0 for no
    /// category. Each is replaced by a vector that is learned for its category (entity embeddings; Guo and Berkhahn 2016, arXiv
    /// 1604.06737), of twice the fourth root of the number of categories: 8 values for 228, 18 for 5,000. Numbers that no training row has
    /// count as 0, whose vector, where no training row has that either, is the mean over the training rows. For categories of more than 100
    /// levels or so; fewer are better a feature of 0 and 1 each. With them, <see cref="NumericEncoding.Standardize"/> is the first part of
    /// <see cref="NumericEncoding.PiecewiseLinear"/>, without bins. Default: none.
    /// </summary>
    public IReadOnlyList<int> EmbeddedFeatures { get; init; } = [];

    /// <summary>
    /// How many times as long as usual the vectors of <see cref="EmbeddedFeatures"/> are, above 0, at most 16. Default: 1, twice the fourth
    /// root of the number of categories.
    /// </summary>
    public float EmbeddingScale { get; init; } = 1;

    /// <summary>In what form numbers are learned. Default: as they are. Ignored for classes, and for several numbers a row.</summary>
    public TargetTransform TargetTransform { get; init; } = TargetTransform.None;

    /// <summary>
    /// Whether member i of an ensemble (<see cref="Network.Members"/>, as the last layer) never learns from fold i of the rows, as many
    /// folds as members, drawn at random by the seed, each class divided evenly. Every training row then has a prediction that was not
    /// learned from it (<see cref="TrainedNetwork.OutOfFold"/>), and each epoch is measured by these instead of rows held out
    /// (<see cref="ValidationFraction"/>). Default: true. Ignored without an ensemble, where validation rows are given, and where members
    /// share what they learn (their weights, or layers in front of them), since then none of them is a stranger to any row.
    /// </summary>
    public bool OutOfFold { get; init; } = true;

    /// <summary>
    /// Whether logits are divided by the number that makes the cross-entropy of the out-of-fold predictions smallest, from 0.2 to 8 (Guo et
    /// al. 2017, arXiv 1706.04599), so that probabilities are as sure as they are right. It is part of the last layer's weights, and each
    /// epoch is measured with its own. Default: true. Ignored without out-of-fold predictions, for numbers, and with weights of classes.
    /// </summary>
    public bool Calibrate { get; init; } = true;

    /// <summary>A change made to each row, by chance, every time it is dealt out for training. Default: null, none.</summary>
    public Augmentation? Augmentation { get; init; }

    /// <summary>
    /// The seed of everything random: the same seed, data and options give the same network, bit for bit, on the CPU with the same number
    /// of <see cref="Threads"/>. Default: 0.
    /// </summary>
    public int Seed { get; init; }

    /// <summary>
    /// Threads that share the operators of a step, from 1. Sums are divided among them, so another number gives other last digits, and in
    /// the end another network. Null (the default) = 1 for small networks, otherwise one for each processor that the process may use;
    /// <see cref="TrainedNetwork.Threads"/> says how many there were, and asks for the same network on another machine.
    /// </summary>
    public int? Threads { get; init; }

    /// <summary>The device. Default: the CPU.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>
    /// The processes that train one network together, on the CPU, each on rows of its own; null (the default) = this one alone. The rows
    /// that are given are this rank's, and so are validation rows; <see cref="BatchSize"/> is each rank's part of a mini-batch. Each step
    /// goes by the gradient of all rows in it, and whatever is measured or learned of the rows is that of all ranks' together, so that
    /// every rank ends with the same network, bit for bit. All ranks give the same options; rank 0 writes the checkpoint. A cancellation
    /// takes effect at the end of an epoch, on all ranks if one asks for it.
    /// </summary>
    public Communicator? Communicator { get; init; }

    /// <summary>
    /// Whether, with several ranks, a batch normalization takes mean and variance over the mini-batches of all of them, as if they were one
    /// (PyTorch's SyncBatchNorm), in both directions: the numbers are those of one rank with the whole mini-batch. It costs two messages
    /// for each batch normalization and step, and pays where a rank has few rows in a mini-batch. Default: false, each rank normalizes its
    /// own rows; running statistics are joined at the end of each epoch.
    /// </summary>
    public bool SyncStatistics { get; init; }

    /// <summary>Whether steps on the CPU may be made of operators of our own. Default: true.</summary>
    internal bool OwnOperators { get; init; } = true;

    /// <summary>
    /// Where training keeps its state, to go on after it was stopped. Default: null, nowhere. A checkpoint of other rows or options is
    /// refused with an <see cref="InvalidDataException"/> that names what differs.
    /// </summary>
    public CheckpointOptions? Checkpoint { get; init; }

    /// <summary>
    /// How the training is looked into: what each layer gives, the gradients, batch normalizations and steps, epoch by epoch
    /// (<see cref="TrainedNetwork.Diagnostics"/>), and warnings of what is unusual. Default: null, not at all, which costs nothing.
    /// </summary>
    public DiagnosticsOptions? Diagnostics { get; init; }

    /// <summary>
    /// Called after each epoch, on the training thread. An exception that it throws ends the training and comes out of it; to stop and keep
    /// the network, see <see cref="EpochReport.StopAfterThisEpoch"/>.
    /// </summary>
    public Action<EpochReport>? Progress { get; init; }

    /// <summary>Looks on at each step. Default: null, nobody does.</summary>
    internal TrainingWatch? Watch { get; init; }

    /// <summary>Called for each warning as soon as it is known; they all end up in <see cref="TrainedNetwork.Warnings"/> too.</summary>
    public Action<TrainingWarning>? Warning { get; init; }

    /// <summary>
    /// How far the exported statistics of a batch normalization may be from those of the training rows (a sample of 2,048, with the final
    /// weights) before <see cref="TrainingWarningKind.StatisticsFarFromPopulation"/> is given: the root mean square over the channels of
    /// the shift of the mean in standard deviations and of the logarithm of the ratio of standard deviations. Default: 0.25. Infinity = do
    /// not look.
    /// </summary>
    public double StatisticsTolerance { get; init; } = 0.25;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is out of its range; the message gives the range.</exception>
    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(BatchSize, 1, nameof(BatchSize));
        if (!(StatisticsTolerance >= 0))
            throw new ArgumentOutOfRangeException(
                nameof(StatisticsTolerance), StatisticsTolerance, "The tolerance of the statistics is a number from 0.");
        ArgumentOutOfRangeException.ThrowIfLessThan(Epochs, 1, nameof(Epochs));
        ArgumentOutOfRangeException.ThrowIfNegative(EarlyStoppingPatience, nameof(EarlyStoppingPatience));
        if (ValidationFraction is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(
                nameof(ValidationFraction), ValidationFraction, "The validation part is from 0 to below 1.");
        if (!(FeatureClip > 0))
            throw new ArgumentOutOfRangeException(
                nameof(FeatureClip), FeatureClip, "Inputs are clipped at a number of standard deviations above 0 (infinity = never).");
        if (EmbeddingScale is not (> 0 and <= 16))
            throw new ArgumentOutOfRangeException(
                nameof(EmbeddingScale), EmbeddingScale, "Vectors of categories are above 0 times to 16 times as long as usual.");
        if (WeightAveraging is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(
                nameof(WeightAveraging), WeightAveraging, "Weight averaging keeps a share from 0 (no average) to below 1; 0.999 is usual.");
        if (Threads is { } threads) ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1, nameof(Threads));
        Checkpoint?.Validate();
        Diagnostics?.Validate();
        if (MaximumGradientNorm is { } norm) RequireMaximumGradientNorm(norm);
    }

    /// <summary>Checks the norm that gradients are clipped to.</summary>
    internal static void RequireMaximumGradientNorm(float maximumGradientNorm)
    {
        if (maximumGradientNorm is not (> 0 and < float.PositiveInfinity))
            throw new ArgumentOutOfRangeException(
                nameof(maximumGradientNorm),
                maximumGradientNorm,
                "The largest norm of the gradients is a finite number above 0; null = no limit.");
    }
}
