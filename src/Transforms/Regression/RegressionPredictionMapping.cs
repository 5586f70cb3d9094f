using Microsoft.ML.Transforms;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// Makes the scalar column of a saved regression model from the vector that its ONNX model gives. ML.NET finds it by its contract name when it
/// loads such a model; the name therefore never changes, and a new form gets a new number.
/// </summary>
[CustomMappingFactoryAttribute(ContractName)]
public sealed class RegressionPredictionMapping : CustomMappingFactory<RegressionNetworkOutput, RegressionPrediction>
{
    internal const string ContractName = "MlNetBatchNorm.RegressionPrediction.1";

    /// <inheritdoc/>
    public override Action<RegressionNetworkOutput, RegressionPrediction> GetMapping() => Map;

    internal static void Map(RegressionNetworkOutput output, RegressionPrediction prediction) =>
        prediction.Score = output.Values.GetItemOrDefault(0);
}
