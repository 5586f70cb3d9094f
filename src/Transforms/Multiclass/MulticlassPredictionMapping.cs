using Microsoft.ML.Transforms;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// Makes a scalar of the text that the ONNX model of a saved network gives. ML.NET finds it by its contract name when it loads such a model;
/// the name therefore never changes, and a new form gets a new number.
/// </summary>
[CustomMappingFactoryAttribute(ContractName)]
public sealed class MulticlassPredictionMapping : CustomMappingFactory<MulticlassNetworkOutput, MulticlassPredictedClass>
{
    internal const string ContractName = "MlNetBatchNorm.MulticlassPrediction.1";

    /// <inheritdoc/>
    public override Action<MulticlassNetworkOutput, MulticlassPredictedClass> GetMapping() => Map;

    internal static void Map(MulticlassNetworkOutput output, MulticlassPredictedClass prediction) =>
        prediction.PredictedLabel = output.Values.GetItemOrDefault(0);
}
