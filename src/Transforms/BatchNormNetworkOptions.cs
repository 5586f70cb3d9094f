using Microsoft.ML;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>The columns that a network is trained on, its architecture, and how it is trained.</summary>
public sealed record BatchNormNetworkOptions
{
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
    /// The units of each hidden layer, first to last; null (the default) = by the task: 64, 32 for two classes, 256, 128 for more, 128, 64 for
    /// regression.
    /// </summary>
    public IReadOnlyList<int>? HiddenLayers { get; init; }

    /// <summary>
    /// The activation behind each hidden layer; null (the default) = by the task: sigmoid for two classes, as in the paper's own experiments
    /// (on tables with a few thousand rows it overfits less than relu), otherwise relu.
    /// </summary>
    public Activation? Activation { get; init; }

    /// <summary>
    /// An architecture of your own, in place of the hidden layers, the activation, the placement and epsilon of the batch normalizations and
    /// the dropout above; null (the default) = none. It takes the features and gives one value for two classes and for regression, and one for
    /// each class otherwise: logits, or the number itself.
    /// </summary>
    public Network? Network { get; init; }

    /// <summary>The batch normalizations.</summary>
    public BatchNormOptions BatchNorm { get; init; } = new();

    /// <summary>
    /// The rate of a dropout in front of the last layer, from 0 (none) to below 1; null (the default) = by the task: 0.5 for regression,
    /// otherwise none.
    /// </summary>
    public float? Dropout { get; init; }

    /// <summary>Rows in a mini-batch, at least 2. Default: 128.</summary>
    public int BatchSize { get; init; } = 128;

    /// <summary>The most passes over the rows; null (the default) = by the task: 60 for regression, otherwise 30.</summary>
    public int? Epochs { get; init; }

    /// <summary>
    /// Epochs without a better validation loss after which training stops; 0 = never; null (the default) = by the task: 8 for two classes,
    /// otherwise never.
    /// </summary>
    public int? Patience { get; init; }

    /// <summary>
    /// The share of rows held out to measure each epoch by, from 0 (none) to below 1; null (the default) = by the task: none for regression,
    /// otherwise 0.1.
    /// </summary>
    public double? ValidationFraction { get; init; }

    /// <summary>
    /// The optimizer; null (the default) = AdamW with a learning rate by the task: 1e-3 for two classes, otherwise 3e-3.
    /// </summary>
    public Optimizer? Optimizer { get; init; }

    /// <summary>How the learning rate changes; null (the default) = by the task: it stays for two classes, otherwise down along a cosine.</summary>
    public Schedule? Schedule { get; init; }

    /// <summary>Whether the network itself brings every feature to mean 0 and variance 1; it costs nothing at scoring. Default: true.</summary>
    public bool Standardize { get; init; } = true;

    /// <summary>
    /// How many standard deviations from the mean a standardized feature may be before it is cut off; infinity = never. Default: 5. Without
    /// effect where <see cref="Standardize"/> is off.
    /// </summary>
    public float ClipStandardDeviations { get; init; } = 5;

    /// <summary>The largest norm of all gradients together; larger ones are scaled down to it. Null (the default) = no limit.</summary>
    public float? GradientNorm { get; init; }

    /// <summary>
    /// What becomes of a row with a missing label, a feature that is not a finite number, or a negative weight. Default:
    /// <see cref="UnusableRows.Fail"/>.
    /// </summary>
    public UnusableRows UnusableRows { get; init; } = UnusableRows.Fail;

    /// <summary>
    /// The seed of everything random: the same seed, data and options give the same network, bit for bit. Null (the default) = 0 or, with a
    /// <see cref="Context"/>, a number drawn from the context's own generator when the trainer is made, as ML.NET's trainers draw theirs: the
    /// same in every run of a program with <c>new MLContext(seed)</c>, another one each time with <c>new MLContext()</c>.
    /// </summary>
    public int? Seed { get; init; }

    /// <summary>The device for training and scoring. Default: the best one available.</summary>
    public Device Device { get; init; } = Device.Auto;

    /// <summary>
    /// The context whose <c>Log</c> hears of the training (a line for each epoch, warnings, devices), whose generator gives the seed and whose
    /// cancellation ends it. Null (the default) = none: a trainer that is made through a catalog cannot see which context that belongs to.
    /// </summary>
    public MLContext? Context { get; init; }

    /// <summary>
    /// The precision of the trained network when it scores, is saved and is exported. Training is always float32. Default: float32. Int8 suits
    /// layers of some hundred units; small networks gain nothing by it.
    /// </summary>
    public ModelPrecision Precision { get; init; } = ModelPrecision.Float32;

    /// <summary>
    /// How much worse the network may become with fewer bits, measured on the first 1000 training rows: points of accuracy or AUC, or the part by
    /// which the RMSE grows; see <see cref="NetworkReducer.RequireWithin"/>. Above it <c>Fit</c> fails. Default: 0.01.
    /// </summary>
    public double PrecisionLoss { get; init; } = NetworkReducer.DefaultLoss;

    /// <summary>Called after each epoch, on the thread that called <c>Fit</c>.</summary>
    public Action<EpochReport>? Progress { get; init; }

    /// <summary>
    /// Called with each thing that is probably not meant: mini-batches too small for batch normalization, a dropout in front of one, exported
    /// statistics far from the data's (these are also in <see cref="TrainedNetwork.Warnings"/>), rows left out.
    /// </summary>
    public Action<TrainingWarning>? Warning { get; init; }

    /// <summary>Stops <c>Fit</c> with an <see cref="OperationCanceledException"/>.</summary>
    public CancellationToken CancellationToken { get; init; }

    /// <summary>The architecture. Options that depend on the task must have been filled in.</summary>
    internal Network CreateNetwork(int features, int outputs)
    {
        if (Network is null)
        {
            return Trainer.Network.ForTable(
                features, HiddenLayers!, outputs, Activation, BatchNorm.CreateLayer(), BatchNorm.Placement, Dropout!.Value);
        }

        if (Network.InputShape.Count != features)
            throw new ArgumentException($"The network takes rows of shape {Network.InputShape}, but the column '{FeatureColumnName}' has {features} values.");
        if (Network.OutputShape.Count != outputs)
            throw new ArgumentException($"The network gives {Network.OutputShape.Count} values for a row, but {outputs} are needed: end it with a dense layer of {outputs}.");
        return Network;
    }

    internal TrainingOptions ToTrainingOptions(int seed) => new()
    {
        BatchSize = BatchSize,
        Epochs = Epochs!.Value,
        Patience = Patience!.Value,
        ValidationFraction = ValidationFraction!.Value,
        Optimizer = Optimizer!,
        Schedule = Schedule!,
        Statistics = BatchNorm.Statistics,
        Standardize = Standardize,
        ClipStandardDeviations = ClipStandardDeviations,
        GradientNorm = GradientNorm,
        Seed = seed,
        Device = Device,
        Progress = Progress,
        Warning = Warning,
    };
}
