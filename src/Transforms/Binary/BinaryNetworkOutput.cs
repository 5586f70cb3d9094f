using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms;

/// <summary>The vector that a saved model for two classes gives: logit and probability.</summary>
public sealed class BinaryNetworkOutput
{
    /// <summary>The name of the column, and of the output of the saved ONNX model.</summary>
    public const string ColumnName = "BatchNormNetworkOutput";

    /// <summary>Logit and probability.</summary>
    [ColumnName(ColumnName)]
    [VectorType(2)]
    public VBuffer<float> Values { get; set; }
}
