using Microsoft.ML;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm;

/// <summary>The columns that a network is trained on, its architecture, and how it is trained.</summary>
/// <remarks>
/// A trainer keeps a copy, and checks it when it is made. What "by the task" says is filled in for the task of the trainer. That two of
/// them are equal means nothing: lists and callbacks are compared as objects.
/// </remarks>
public sealed record BatchNormNetworkOptions
{
    private const double HeldOutOfShared = 0.1;

    /// <summary>
    /// The label column: of type Boolean for two classes, a key for more (see <c>MapValueToKey</c>), Single for regression. Default:
    /// <c>Label</c>.
    /// </summary>
    public string LabelColumnName { get; init; } = "Label";

    /// <summary>The features, a vector of Single with a known size. Default: <c>Features</c>.</summary>
    public string FeatureColumnName { get; init; } = "Features";

    /// <summary>A column of Single with a weight from 0 for each row; null (the default) = all rows count the same.</summary>
    public string? ExampleWeightColumnName { get; init; }

    /// <summary>
    /// What options that are left open mean; null (the default) = <see cref="Preset.Accurate"/>, or <see cref="Preset.Fast"/> with a
    /// <see cref="Network"/> of your own. What is said below "by the task" is that of <see cref="Preset.Fast"/>.
    /// </summary>
    public Preset? Preset { get; init; }

    /// <summary>
    /// The members of an ensemble inside the network, each with the hidden layers and batch normalizations of its own; 1 = there is none;
    /// null (the default) = by the preset: 8, or 1 with another <see cref="Normalization"/> than that of mini-batches. Without
    /// <see cref="ValidationSet"/>, member i does not learn from fold i of the rows (<see cref="TrainingOptions.OutOfFold"/>).
    /// </summary>
    public int? Members { get; init; }

    /// <summary>
    /// Whether the members of the ensemble share the weights of their hidden layers, each with scales, batch normalizations and a last
    /// layer of its own (<see cref="Network.Members"/>). Since no member is then a stranger to any row, each epoch is measured on rows held
    /// out, a tenth where nothing is said (<see cref="ValidationFraction"/>), and probabilities are not calibrated. Default: false.
    /// </summary>
    public bool SharedWeights { get; init; }

    /// <summary>
    /// What the network sees of a number; null (the default) = by the preset: <see cref="NumericEncoding.PiecewiseLinear"/> or
    /// <see cref="NumericEncoding.Standardize"/>.
    /// </summary>
    public NumericEncoding? NumericEncoding { get; init; }

    /// <summary>
    /// The features that are numbers of categories, by their places in the vector, from 0: whole numbers from 1, and 0 for no category, as
    /// <c>MapValue</c> makes them, or a key that is converted to Single with its missing values replaced by 0. Each becomes a vector that
    /// is learned for its category (<see cref="TrainingOptions.EmbeddedFeatures"/>); for categories of more than 100 levels or so. Default:
    /// none.
    /// </summary>
    public IReadOnlyList<int> EmbeddedFeatures { get; init; } = [];

    /// <summary>
    /// How many times as long as usual the vectors of <see cref="EmbeddedFeatures"/> are (<see cref="TrainingOptions.EmbeddingScale"/>).
    /// Default: 1.
    /// </summary>
    public float EmbeddingScale { get; init; } = 1;

    /// <summary>In what form a regression learns its label; null (the default) = by the preset: by the rows, or as it is.</summary>
    public TargetTransform? TargetTransform { get; init; }

    /// <summary>
    /// Whether probabilities are made as sure as they are right by the out-of-fold predictions of an ensemble
    /// (<see cref="TrainingOptions.Calibrate"/>). Default: true.
    /// </summary>
    public bool Calibrate { get; init; } = true;

    /// <summary>
    /// The units of each hidden layer, first to last; null (the default) = by the task: 64, 32 for two classes, 256, 128 for more, 128, 64
    /// for regression.
    /// </summary>
    public IReadOnlyList<int>? HiddenLayers { get; init; }

    /// <summary>
    /// The activation behind each hidden layer; null (the default) = by the task: sigmoid for two classes, as in the paper's own
    /// experiments (on tables with a few thousand rows it overfits less than relu), otherwise relu.
    /// </summary>
    public Activation? Activation { get; init; }

    /// <summary>The first weights of every layer; null (the default) = He in front of a relu kind, Glorot otherwise.</summary>
    public Initializer? WeightInitializer { get; init; }

    /// <summary>
    /// An architecture of your own, as <c>Network.Input(1, 28, 28).Conv2d(16, 3).BatchNorm()…</c> or <see cref="Network.Parse"/>
    /// gives it, in place of the hidden layers with their activation, normalization, first weights and dropout; null (the default) = none.
    /// <para>
    /// It takes the features in the shape of its input: a vector of 784 is an image <c>[1, 28, 28]</c> for a network that says so. Where
    /// the type of the feature column has several dimensions itself, they have to be the same, or the network takes a plain vector.
    /// It gives one value for two classes and for regression, and one for each class otherwise: logits, or the number itself.
    /// </para>
    /// </summary>
    public Network? Network { get; init; }

    /// <summary>
    /// The batch normalizations of the hidden layers, and the statistics of those in a <see cref="Network"/> of your own.
    /// </summary>
    public BatchNormOptions BatchNorm { get; init; } = new();

    /// <summary>
    /// Another normalization behind each hidden layer, as <c>Normalization.Layer()</c> or <c>Normalization.Group(8)</c>, at the place that
    /// <see cref="BatchNormOptions.Placement"/> says; null (the default) = batch normalization.
    /// </summary>
    public Normalization? Normalization { get; init; }

    /// <summary>
    /// The rate of a dropout in front of the last layer, from 0 (none) to below 1; null (the default) = by the task and the rows: 0.5 for
    /// regression on at most 5,000 rows, which it keeps from being learned by heart; otherwise none.
    /// </summary>
    public float? Dropout { get; init; }

    /// <summary>
    /// The rate of a dropout behind each hidden layer but the last, from 0 (none) to below 1; null (the default) = by the preset: 0.05 or
    /// none. Above 0.05 it makes the running variances of the batch normalizations behind it wrong, which is warned of.
    /// </summary>
    public float? HiddenDropout { get; init; }

    /// <summary>
    /// What training makes small; null (the default) = by the task: sigmoid cross-entropy for two classes, softmax cross-entropy for more
    /// (with smoothed labels: <c>Loss.SmoothedSigmoidCrossEntropy(0.1f)</c>, <c>Loss.SmoothedCrossEntropy(0.1f)</c>), squared error for
    /// regression (or <c>Loss.Huber()</c>, <c>Loss.AbsoluteError</c>). With <see cref="Preset.Accurate"/> two classes have smoothed labels
    /// (0.05) where the probabilities are calibrated afterwards.
    /// </summary>
    public Loss? Loss { get; init; }

    /// <summary>
    /// How much the rows of each class count in the loss, for classes of which one is rare or dear; null (the default) = all the same.
    /// </summary>
    public ClassWeights? ClassWeights { get; init; }

    /// <summary>
    /// Rows in a mini-batch, at least 2 where there is a batch normalization of plain features; null (the default) = 128, or by the preset
    /// 256 from 10,000 rows on.
    /// </summary>
    public int? BatchSize { get; init; }

    /// <summary>The most passes over the rows; null (the default) = by the task: 60 for regression, otherwise 30.</summary>
    public int? Epochs { get; init; }

    /// <summary>
    /// Epochs without a better validation loss after which training stops; 0 = never; null (the default) = by the task: 8 for two classes,
    /// otherwise never.
    /// </summary>
    public int? EarlyStoppingPatience { get; init; }

    /// <summary>
    /// The share of rows held out to measure each epoch by, from 0 (none) to below 1; null (the default) = by the task: none for
    /// regression, otherwise 0.1. They are drawn at random by the seed, of each class its share; where rows belong together or follow each
    /// other in time, choose them yourself (<see cref="ValidationSet"/>).
    /// </summary>
    public double? ValidationFraction { get; init; }

    /// <summary>
    /// Rows of your own to measure each epoch by, in place of a part held out; they have the columns of the training rows, as in
    /// <c>ValidationSet = front.Fit(train).Transform(validation)</c> where the trainer stands behind <c>front</c>. Null (the default) =
    /// none; the rows that <c>Fit(input, validation)</c> is given come first.
    /// </summary>
    public IDataView? ValidationSet { get; init; }

    /// <summary>
    /// The optimizer; null (the default) = AdamW with a learning rate by the task: 1e-3 for two classes, otherwise 3e-3.
    /// </summary>
    public Optimizer? Optimizer { get; init; }

    /// <summary>
    /// How the learning rate changes; null (the default) = by the task: it stays for two classes, otherwise down along a cosine.
    /// </summary>
    public LearningRateSchedule? Schedule { get; init; }

    /// <summary>
    /// Whether the network itself brings every feature to mean 0 and variance 1; it costs nothing at scoring. Default: true.
    /// </summary>
    public bool StandardizeFeatures { get; init; } = true;

    /// <summary>
    /// How many standard deviations from the mean a standardized feature may be before it is cut off; infinity = never. Default: 5. Without
    /// effect where <see cref="StandardizeFeatures"/> is off.
    /// </summary>
    public float FeatureClip { get; init; } = 5;

    /// <summary>
    /// How much memory the rows that are learned from may take, in bytes, above 0. Rows of more are kept in a file in the folder for
    /// temporary files while the network learns, and dealt out from there in the same order, so that the network is the same, bit for bit;
    /// a warning of the kind <see cref="TrainingWarningKind.RowsInFile"/> says so. The file, and a second one for the order of an epoch,
    /// each take four bytes a value. Rows of which nearly all values are zeros stay in memory. Default: null, half of the memory that is
    /// free.
    /// </summary>
    public long? RowMemory { get; init; }

    /// <summary>
    /// Whether a regression learns its label in standard deviations from the mean, so that learning rates mean the same in every unit; the
    /// score is in the label's own unit all the same. A <see cref="Network"/> of your own then has to end with a dense layer. Default:
    /// true.
    /// </summary>
    public bool StandardizeTargets { get; init; } = true;

    /// <summary>The largest norm of all gradients together; larger ones are scaled down to it. Null (the default) = no limit.</summary>
    public float? MaximumGradientNorm { get; init; }

    /// <summary>
    /// How much of an average of the weights stays at each step, as 0.999; the average is what is measured, kept and exported
    /// (<see cref="TrainingOptions.WeightAveraging"/>). From 0 (the default: no average) to below 1.
    /// </summary>
    public float WeightAveraging { get; init; }

    /// <summary>The version of ONNX's operator set that the model is exported in, from 9 to 21. Default: 17.</summary>
    public int Opset { get; init; } = new NetworkExportOptions().Opset;

    /// <summary>
    /// What becomes of a row with a missing label, a feature that is not a finite number, or a negative weight. Default:
    /// <see cref="UnusableRows.Fail"/>.
    /// </summary>
    public UnusableRows UnusableRows { get; init; } = UnusableRows.Fail;

    /// <summary>
    /// The seed of everything random: the same seed, data and options give the same network, bit for bit, on the CPU with the same number
    /// of <see cref="Threads"/>. Null (the default) = a number drawn from the context's own generator when the trainer is made, as ML.NET's
    /// trainers draw theirs: the same in every run of a program with <c>new MLContext(seed)</c>, another one each time with <c>new
    /// MLContext()</c>.
    /// </summary>
    public int? Seed { get; init; }

    /// <summary>
    /// Threads that share the operators of a training step, from 1; the last digits of the weights depend on it. Null (the default) = 1 for
    /// small networks, otherwise one for each processor. See <see cref="TrainingOptions.Threads"/>.
    /// </summary>
    public int? Threads { get; init; }

    /// <summary>
    /// The device for training and scoring; null (the default) = the GPU that the context's <c>GpuDeviceId</c> names (with
    /// <c>FallbackToCpu</c>, or else the CPU), and where it names none, the best device available.
    /// </summary>
    public Device? Device { get; init; }

    /// <summary>
    /// The precision of the trained network when it scores, is saved and is exported. Training is always float32. Default: float32. Int8
    /// suits layers of some hundred units; small networks gain nothing by it.
    /// </summary>
    public ModelPrecision Precision { get; init; } = ModelPrecision.Float32;

    /// <summary>
    /// How much worse the network may become with fewer bits, measured on the first 1000 training rows: points of accuracy or AUC, or the
    /// part by which the RMSE grows. Above it <c>Fit</c> fails. Default: 0.01.
    /// </summary>
    public double AllowedMetricLoss { get; init; } = MetricComparison.DefaultAllowedLoss;

    /// <summary>
    /// Where <c>Fit</c> keeps the state of the training, so that the same <c>Fit</c> goes on after it was stopped; null (the default) =
    /// nowhere. A checkpoint of other data or options is refused with an <see cref="InvalidDataException"/> that names what differs. Say
    /// the <see cref="Seed"/>, too: a drawn one would be another one.
    /// </summary>
    public CheckpointOptions? Checkpoint { get; init; }

    /// <summary>
    /// How the training is looked into (<see cref="TrainingOptions.Diagnostics"/>); null (the default) = not at all. What was seen is in
    /// the <see cref="TrainedNetwork.Diagnostics"/> of the transformer's <c>Model</c>.
    /// </summary>
    public DiagnosticsOptions? Diagnostics { get; init; }

    /// <summary>Called after each epoch, on the thread that called <c>Fit</c>. An exception from it ends <c>Fit</c>.</summary>
    public Action<EpochReport>? Progress { get; init; }

    /// <summary>
    /// Called with each thing that is probably not meant: mini-batches too small for batch normalization, a dropout in front of one,
    /// exported statistics far from the data's (these are also in <see cref="TrainedNetwork.Warnings"/>), rows left out.
    /// </summary>
    public Action<TrainingWarning>? Warning { get; init; }

    /// <summary>Stops <c>Fit</c> with an <see cref="OperationCanceledException"/>.</summary>
    public CancellationToken CancellationToken { get; init; }

    /// <summary>Looks on while <c>Fit</c> is at work; null (the default) = nobody does.</summary>
    internal TrainingWatch? Watch { get; init; }

    /// <summary>Whether nobody evaluates by ML.NET's means: then the columns that are added may hide the label.</summary>
    internal bool IsEvaluatedElsewhere { get; init; }

    /// <inheritdoc cref="TrainingOptions.Communicator"/>
    internal Communicator? Communicator { get; init; }

    /// <inheritdoc cref="TrainingOptions.SyncStatistics"/>
    internal bool SyncStatistics { get; init; }

    /// <summary>What else the exported model is to say of itself; it goes before what the trainer says.</summary>
    internal IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();

    /// <summary>A copy that nobody changes from outside.</summary>
    internal BatchNormNetworkOptions Copy() => this with
    {
        HiddenLayers = HiddenLayers is { } units ? [.. units] : null,
        EmbeddedFeatures = [.. EmbeddedFeatures],
        Metadata = new Dictionary<string, string>(Metadata),
    };

    /// <summary>The options with others where they were left open.</summary>
    /// <param name="open">The others, of the task, the preset and the rows.</param>
    internal BatchNormNetworkOptions CopyWithDefaults(BatchNormNetworkOptions open) => this with
    {
        Preset = Preset ?? open.Preset,
        Members = Members ?? (Normalization is { IsBatch: false } || Network is not null ? 1 : open.Members),
        NumericEncoding = NumericEncoding ?? open.NumericEncoding,
        TargetTransform = TargetTransform ?? open.TargetTransform,
        Dropout = Dropout ?? (Network is null ? open.Dropout : null),
        HiddenDropout = HiddenDropout ?? (Network is null ? open.HiddenDropout : null),
        BatchSize = BatchSize ?? open.BatchSize,
        HiddenLayers = HiddenLayers ?? open.HiddenLayers,

        // Only probabilities that are calibrated afterwards may be learned from smoothed labels.
        Loss = Loss ?? (Calibrate && !SharedWeights && ClassWeights is null && Members is null or > 1 && Network is null
            && Normalization is null or { IsBatch: true } ? open.Loss : null),
        Activation = Activation ?? open.Activation,
        Epochs = Epochs ?? open.Epochs,
        EarlyStoppingPatience = EarlyStoppingPatience ?? open.EarlyStoppingPatience,
        ValidationFraction = ValidationFraction
            ?? (SharedWeights && open.ValidationFraction == 0 ? HeldOutOfShared : open.ValidationFraction),
        Optimizer = Optimizer ?? open.Optimizer,
        Schedule = Schedule ?? open.Schedule,
    };

    /// <summary>Rejects what cannot be learned with, whatever the data. Options that depend on the task must have been filled in.</summary>
    /// <exception cref="ArgumentException">An option is out of its range, or contradicts another one.</exception>
    internal void Validate()
    {
        ArgumentException.ThrowIfNullOrEmpty(LabelColumnName);
        ArgumentException.ThrowIfNullOrEmpty(FeatureColumnName);
        if (Members is < 1 or > 1024)
            throw new ArgumentOutOfRangeException(nameof(Members), Members, "An ensemble has from 1 to 1024 members.");
        if (SharedWeights && Members == 1)
            throw new ArgumentException(
                $"{nameof(SharedWeights)} is about the members of an ensemble, but there is one network only: give {nameof(Members)}, or "
                + "leave it out.");
        if (RowMemory <= 0)
            throw new ArgumentOutOfRangeException(
                nameof(RowMemory), RowMemory, "The memory for rows is a number of bytes above 0; null = half of what is free.");
        if (!(AllowedMetricLoss >= 0))
            throw new ArgumentOutOfRangeException(nameof(AllowedMetricLoss), AllowedMetricLoss, "What may be lost is a number from 0.");
        ToTrainingOptions(seed: 0, MlNetBatchNorm.Device.Cpu).Validate();
        _ = new NetworkExportOptions { Opset = Opset };

        // The number of features is not known yet, but the layers have to fit whatever it is.
        if (Network is null) _ = CreateNetwork(features: 1, outputs: 1);
    }

    /// <summary>Rejects options that a network of one's own leaves without effect. They must not have been filled in.</summary>
    /// <exception cref="ArgumentException">There are some.</exception>
    internal void RequireOneArchitecture()
    {
        if (Network is null) return;
        var without = new (string Name, object? Value)[]
        {
            (nameof(HiddenLayers), HiddenLayers), (nameof(Activation), Activation), (nameof(Normalization), Normalization),
            (nameof(WeightInitializer), WeightInitializer), (nameof(Dropout), Dropout),
            (nameof(HiddenDropout), HiddenDropout), (nameof(Members), Members), (nameof(SharedWeights), SharedWeights ? true : null),
        };
        if (without.FirstOrDefault(option => option.Value is not null).Name is { } name)
            throw new ArgumentException(
                $"{nameof(Network)} is an architecture of its own; {name} would have no effect. Leave one of them out.");
    }

    /// <summary>The architecture. Options that depend on the task must have been filled in.</summary>
    /// <param name="features">The features of a row.</param>
    /// <param name="outputs">The values that are needed for a row.</param>
    internal Network CreateNetwork(int features, int outputs)
    {
        if (Network is null)
        {
            var one = MlNetBatchNorm.Network.FeedForward(
                features,
                HiddenLayers!,
                outputs,
                Activation,
                Normalization ?? MlNetBatchNorm.Normalization.Batch(BatchNorm),
                BatchNorm.Placement,
                Dropout ?? 0,
                WeightInitializer,
                HiddenDropout ?? 0);
            return Members > 1 ? MlNetBatchNorm.Network.Input(features).Members(Members.Value, _ => one, SharedWeights) : one;
        }

        if (Network.OutputShape.Count != outputs)
            throw new ArgumentException(
                $"The network gives {Network.OutputShape.Count} values for a row, but {outputs} are needed: "
                + $"end it with a dense layer of {outputs}.");
        return Network;
    }

    internal TrainingOptions ToTrainingOptions(int seed, Device device) => new()
    {
        NumericEncoding = NumericEncoding!,
        TargetTransform = TargetTransform!.Value,
        EmbeddedFeatures = EmbeddedFeatures,
        EmbeddingScale = EmbeddingScale,
        Calibrate = Calibrate,
        BatchSize = BatchSize!.Value,
        Epochs = Epochs!.Value,
        EarlyStoppingPatience = EarlyStoppingPatience!.Value,
        ValidationFraction = ValidationFraction!.Value,
        Optimizer = Optimizer!,
        Schedule = Schedule!,
        Statistics = BatchNorm.Statistics,
        StandardizeFeatures = StandardizeFeatures,
        FeatureClip = FeatureClip,
        StandardizeTargets = StandardizeTargets,
        StatisticsTolerance = BatchNorm.StatisticsTolerance,
        MaximumGradientNorm = MaximumGradientNorm,
        WeightAveraging = WeightAveraging,
        Seed = seed,
        Threads = Threads,
        Device = device,
        Checkpoint = Checkpoint,
        Communicator = Communicator,
        SyncStatistics = SyncStatistics,
        Diagnostics = Diagnostics,
        Progress = Progress,
        Watch = Watch,
        Warning = Warning,
    };
}
