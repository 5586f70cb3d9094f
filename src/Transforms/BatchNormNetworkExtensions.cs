using MlNetBatchNorm;
using MlNetBatchNorm.Transforms.Interop;

namespace Microsoft.ML;

/// <summary>The trainers of batch-normalised networks, where ML.NET's own trainers are found.</summary>
/// <remarks>
/// As ML.NET's own trainers do, they take the seed, the log, the cancellation and the GPU from the context whose catalog they are made in.
/// </remarks>
public static class BatchNormNetworkExtensions
{
    /// <summary>Trains a batch-normalised network for two classes.</summary>
    /// <param name="catalog">The catalog of trainers.</param>
    /// <param name="options">Columns, architecture and training.</param>
    /// <returns>
    /// An estimator whose transformer adds <c>Score</c> (Single, the logit), <c>Probability</c> (Single) and <c>PredictedLabel</c>
    /// (Boolean).
    /// </returns>
    /// <exception cref="ArgumentException">An option is out of its range, or contradicts another one.</exception>
    public static BatchNormBinaryTrainer BatchNormNetwork(
        this BinaryClassificationCatalog.BinaryClassificationTrainers catalog, BatchNormNetworkOptions options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new BatchNormBinaryTrainer(options, MlNetInternals.EnvironmentOf(catalog));
    }

    /// <summary>Trains a batch-normalised network for two classes, with the default options otherwise.</summary>
    /// <param name="catalog">The catalog of trainers.</param>
    /// <param name="labelColumnName">The label, of type Boolean.</param>
    /// <param name="featureColumnName">The features, a vector of Single.</param>
    /// <param name="exampleWeightColumnName">The rows' weights, of type Single; null = all count the same.</param>
    /// <param name="hiddenLayers">The units of each hidden layer; null = the default.</param>
    /// <param name="epochs">The most passes over the rows; null = the default.</param>
    /// <param name="batchSize">Rows in a mini-batch; null = the default.</param>
    /// <param name="learningRate">The learning rate of AdamW; null = the default.</param>
    /// <param name="dropout">The rate of a dropout in front of the last layer; null = the default.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static BatchNormBinaryTrainer BatchNormNetwork(
        this BinaryClassificationCatalog.BinaryClassificationTrainers catalog,
        string labelColumnName = "Label",
        string featureColumnName = "Features",
        string? exampleWeightColumnName = null,
        IReadOnlyList<int>? hiddenLayers = null,
        int? epochs = null,
        int? batchSize = null,
        double? learningRate = null,
        double? dropout = null) =>
        catalog.BatchNormNetwork(Options(
            labelColumnName, featureColumnName, exampleWeightColumnName, hiddenLayers, epochs, batchSize, learningRate, dropout));

    /// <summary>Trains a batch-normalised network for several classes.</summary>
    /// <param name="catalog">The catalog of trainers.</param>
    /// <param name="options">Columns, architecture and training.</param>
    /// <returns>
    /// An estimator whose transformer adds <c>Score</c> (a vector of Single: the probability of each class) and <c>PredictedLabel</c> (a
    /// key with the label's own key values).
    /// </returns>
    /// <exception cref="ArgumentException">An option is out of its range, or contradicts another one.</exception>
    public static BatchNormMulticlassTrainer BatchNormNetwork(
        this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog, BatchNormNetworkOptions options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new BatchNormMulticlassTrainer(options, MlNetInternals.EnvironmentOf(catalog));
    }

    /// <summary>Trains a batch-normalised network for several classes, with the default options otherwise.</summary>
    /// <param name="catalog">The catalog of trainers.</param>
    /// <param name="labelColumnName">The label, a key, as <c>MapValueToKey</c> makes it.</param>
    /// <param name="featureColumnName">The features, a vector of Single.</param>
    /// <param name="exampleWeightColumnName">The rows' weights, of type Single; null = all count the same.</param>
    /// <param name="hiddenLayers">The units of each hidden layer; null = the default.</param>
    /// <param name="epochs">The most passes over the rows; null = the default.</param>
    /// <param name="batchSize">Rows in a mini-batch; null = the default.</param>
    /// <param name="learningRate">The learning rate of AdamW; null = the default.</param>
    /// <param name="dropout">The rate of a dropout in front of the last layer; null = the default.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static BatchNormMulticlassTrainer BatchNormNetwork(
        this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog,
        string labelColumnName = "Label",
        string featureColumnName = "Features",
        string? exampleWeightColumnName = null,
        IReadOnlyList<int>? hiddenLayers = null,
        int? epochs = null,
        int? batchSize = null,
        double? learningRate = null,
        double? dropout = null) =>
        catalog.BatchNormNetwork(Options(
            labelColumnName, featureColumnName, exampleWeightColumnName, hiddenLayers, epochs, batchSize, learningRate, dropout));

    /// <summary>Trains a batch-normalised network for a number.</summary>
    /// <param name="catalog">The catalog of trainers.</param>
    /// <param name="options">Columns, architecture and training.</param>
    /// <returns>An estimator whose transformer adds <c>Score</c> (Single, in the unit of the label).</returns>
    /// <exception cref="ArgumentException">An option is out of its range, or contradicts another one.</exception>
    public static BatchNormRegressionTrainer BatchNormNetwork(
        this RegressionCatalog.RegressionTrainers catalog, BatchNormNetworkOptions options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new BatchNormRegressionTrainer(options, MlNetInternals.EnvironmentOf(catalog));
    }

    /// <summary>Trains a batch-normalised network for a number, with the default options otherwise.</summary>
    /// <param name="catalog">The catalog of trainers.</param>
    /// <param name="labelColumnName">The label, of type Single.</param>
    /// <param name="featureColumnName">The features, a vector of Single.</param>
    /// <param name="exampleWeightColumnName">The rows' weights, of type Single; null = all count the same.</param>
    /// <param name="hiddenLayers">The units of each hidden layer; null = the default.</param>
    /// <param name="epochs">The most passes over the rows; null = the default.</param>
    /// <param name="batchSize">Rows in a mini-batch; null = the default.</param>
    /// <param name="learningRate">The learning rate of AdamW; null = the default.</param>
    /// <param name="dropout">The rate of a dropout in front of the last layer; null = the default.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static BatchNormRegressionTrainer BatchNormNetwork(
        this RegressionCatalog.RegressionTrainers catalog,
        string labelColumnName = "Label",
        string featureColumnName = "Features",
        string? exampleWeightColumnName = null,
        IReadOnlyList<int>? hiddenLayers = null,
        int? epochs = null,
        int? batchSize = null,
        double? learningRate = null,
        double? dropout = null) =>
        catalog.BatchNormNetwork(Options(
            labelColumnName, featureColumnName, exampleWeightColumnName, hiddenLayers, epochs, batchSize, learningRate, dropout));

    private static BatchNormNetworkOptions Options(
        string label,
        string features,
        string? weight,
        IReadOnlyList<int>? hiddenLayers,
        int? epochs,
        int? batchSize,
        double? learningRate,
        double? dropout)
    {
        var defaults = new BatchNormNetworkOptions();
        return defaults with
        {
            LabelColumnName = label,
            FeatureColumnName = features,
            ExampleWeightColumnName = weight,
            HiddenLayers = hiddenLayers,
            Epochs = epochs,
            BatchSize = batchSize ?? defaults.BatchSize,
            Optimizer = learningRate is { } rate ? Optimizer.AdamW((float)rate) : null,
            Dropout = (float?)dropout,
        };
    }
}
