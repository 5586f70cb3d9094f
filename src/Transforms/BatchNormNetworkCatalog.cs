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
        IReadOnlyList<int>? hiddenLayers = null)
    {
        var options = new BatchNormNetworkOptions
        {
            LabelColumnName = labelColumnName,
            FeatureColumnName = featureColumnName,
            ExampleWeightColumnName = exampleWeightColumnName,
        };
        return catalog.BatchNormNetwork(hiddenLayers is null ? options : options with { HiddenLayers = hiddenLayers });
    }
}
