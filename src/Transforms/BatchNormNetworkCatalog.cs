using MlNetBatchNorm.Transforms;

namespace Microsoft.ML;

/// <summary>The trainers of batch-normalised networks, where ML.NET's own trainers are found.</summary>
public static class BatchNormNetworkCatalog
{
    /// <summary>Trains a batch-normalised network for two classes.</summary>
    /// <param name="catalog">The catalog of trainers.</param>
    /// <param name="options">Columns, architecture and training.</param>
    /// <returns>
    /// An estimator whose transformer adds <c>Score</c> (Single, the logit), <c>Probability</c> (Single) and <c>PredictedLabel</c> (Boolean).
    /// </returns>
    public static BatchNormBinaryTrainer BatchNormNetwork(
        this BinaryClassificationCatalog.BinaryClassificationTrainers catalog, BatchNormNetworkOptions options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new BatchNormBinaryTrainer(options);
    }

    /// <summary>Trains a batch-normalised network for two classes, with the default options otherwise.</summary>
    /// <param name="catalog">The catalog of trainers.</param>
    /// <param name="labelColumnName">The label, of type Boolean.</param>
    /// <param name="featureColumnName">The features, a vector of Single.</param>
    /// <param name="exampleWeightColumnName">The rows' weights, of type Single; null = all count the same.</param>
    /// <param name="hiddenLayers">The units of each hidden layer; null = the default.</param>
    public static BatchNormBinaryTrainer BatchNormNetwork(
        this BinaryClassificationCatalog.BinaryClassificationTrainers catalog,
        string labelColumnName = "Label",
        string featureColumnName = "Features",
        string? exampleWeightColumnName = null,
        IReadOnlyList<int>? hiddenLayers = null) =>
        catalog.BatchNormNetwork(Options(labelColumnName, featureColumnName, exampleWeightColumnName, hiddenLayers));

    /// <summary>Trains a batch-normalised network for several classes.</summary>
    /// <param name="catalog">The catalog of trainers.</param>
    /// <param name="options">Columns, architecture and training.</param>
    /// <returns>
    /// An estimator whose transformer adds <c>Score</c> (a vector of Single: the probability of each class) and <c>PredictedLabel</c> (a key
    /// with the label's own key values).
    /// </returns>
    public static BatchNormMulticlassTrainer BatchNormNetwork(
        this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog, BatchNormNetworkOptions options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new BatchNormMulticlassTrainer(options);
    }

    /// <summary>Trains a batch-normalised network for several classes, with the default options otherwise.</summary>
    /// <param name="catalog">The catalog of trainers.</param>
    /// <param name="labelColumnName">The label, a key, as <c>MapValueToKey</c> makes it.</param>
    /// <param name="featureColumnName">The features, a vector of Single.</param>
    /// <param name="exampleWeightColumnName">The rows' weights, of type Single; null = all count the same.</param>
    /// <param name="hiddenLayers">The units of each hidden layer; null = the default.</param>
    public static BatchNormMulticlassTrainer BatchNormNetwork(
        this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog,
        string labelColumnName = "Label",
        string featureColumnName = "Features",
        string? exampleWeightColumnName = null,
        IReadOnlyList<int>? hiddenLayers = null) =>
        catalog.BatchNormNetwork(Options(labelColumnName, featureColumnName, exampleWeightColumnName, hiddenLayers));

    /// <summary>Trains a batch-normalised network for a number.</summary>
    /// <param name="catalog">The catalog of trainers.</param>
    /// <param name="options">Columns, architecture and training.</param>
    /// <returns>An estimator whose transformer adds <c>Score</c> (Single, in the unit of the label).</returns>
    public static BatchNormRegressionTrainer BatchNormNetwork(
        this RegressionCatalog.RegressionTrainers catalog, BatchNormNetworkOptions options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new BatchNormRegressionTrainer(options);
    }

    /// <summary>Trains a batch-normalised network for a number, with the default options otherwise.</summary>
    /// <param name="catalog">The catalog of trainers.</param>
    /// <param name="labelColumnName">The label, of type Single.</param>
    /// <param name="featureColumnName">The features, a vector of Single.</param>
    /// <param name="exampleWeightColumnName">The rows' weights, of type Single; null = all count the same.</param>
    /// <param name="hiddenLayers">The units of each hidden layer; null = the default.</param>
    public static BatchNormRegressionTrainer BatchNormNetwork(
        this RegressionCatalog.RegressionTrainers catalog,
        string labelColumnName = "Label",
        string featureColumnName = "Features",
        string? exampleWeightColumnName = null,
        IReadOnlyList<int>? hiddenLayers = null) =>
        catalog.BatchNormNetwork(Options(labelColumnName, featureColumnName, exampleWeightColumnName, hiddenLayers));

    private static BatchNormNetworkOptions Options(string label, string features, string? weight, IReadOnlyList<int>? hiddenLayers) => new()
    {
        LabelColumnName = label,
        FeatureColumnName = features,
        ExampleWeightColumnName = weight,
        HiddenLayers = hiddenLayers,
    };
}
