using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tests.Catalogs;

/// <summary>Data and quick trainers for the three tasks.</summary>
internal static class Trainers
{
    public static BatchNormNetworkOptions Quick { get; } = new()
    {
        Seed = 0,
        HiddenLayers = [16, 8],
        Activation = Activation.Relu,
        BatchSize = 32,
        Dropout = 0,
        Epochs = 15,
        EarlyStoppingPatience = 0,
        ValidationFraction = 0,
        Optimizer = Optimizer.AdamW(1e-2f),
        Device = Device.Cpu,
    };

    public static IDataView Data(MLContext ml, LearningTask task, int count, int seed = 1) => task switch
    {
        LearningTask.Binary => ml.Data.LoadFromEnumerable(Moons.Create(count, seed)),
        LearningTask.Multiclass => ml.Data.LoadFromEnumerable(Clouds.Create(count, seed)),
        _ => ml.Data.LoadFromEnumerable(Waves.Create(count, seed)),
    };

    /// <summary>All that is needed before and including the trainer, with a copied column in front as a stock transform.</summary>
    public static EstimatorChain<BatchNormTransformer> Pipeline(MLContext ml, LearningTask task, BatchNormNetworkOptions options)
    {
        var copy = ml.Transforms.CopyColumns("Copy", "Weight");
        return task switch
        {
            LearningTask.Binary => copy.Append<BatchNormTransformer>(ml.BinaryClassification.Trainers.BatchNormNetwork(options)),
            LearningTask.Multiclass => copy.Append(ml.Transforms.Conversion.MapValueToKey("Label"))
                .Append<BatchNormTransformer>(ml.MulticlassClassification.Trainers.BatchNormNetwork(options)),
            _ => copy.Append<BatchNormTransformer>(ml.Regression.Trainers.BatchNormNetwork(options)),
        };
    }
}
