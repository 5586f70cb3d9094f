using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms;

/// <summary>The vector that a saved regression model gives: one number.</summary>
public sealed class RegressionNetworkOutput
{
    /// <summary>The name of the column, and of the output of the saved ONNX model.</summary>
    public const string ColumnName = "BatchNormNetworkOutput";

    /// <summary>The number, in the unit of the label.</summary>
    [ColumnName(ColumnName)]
    [VectorType(1)]
    public VBuffer<float> Values { get; set; }
}
