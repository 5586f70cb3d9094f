using Microsoft.ML.Transforms;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// Makes the scalar columns of a saved model from the vector that its ONNX model gives. ML.NET finds it by its contract name when it loads
/// such a model; the name therefore never changes, and a new form gets a new number.
/// </summary>
[CustomMappingFactoryAttribute(ContractName)]
public sealed class BinaryPredictionMapping : CustomMappingFactory<BinaryNetworkOutput, BinaryPrediction>
{
    internal const string ContractName = "MlNetBatchNorm.BinaryPrediction.1";

    /// <inheritdoc/>
    public override Action<BinaryNetworkOutput, BinaryPrediction> GetMapping() => Map;

    internal static void Map(BinaryNetworkOutput output, BinaryPrediction prediction)
    {
        prediction.Score = output.Values.GetItemOrDefault(0);
        prediction.Probability = output.Values.GetItemOrDefault(1);
        prediction.PredictedLabel = prediction.Score > 0;
    }
}
