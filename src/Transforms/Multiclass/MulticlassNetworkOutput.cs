using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms;

/// <summary>The most probable class, as a saved model for several classes gives it: a vector of one text.</summary>
public sealed class MulticlassNetworkOutput
{
    /// <summary>The name of the column, and of the output of the saved ONNX model.</summary>
    public const string ColumnName = "BatchNormNetworkClass";

    /// <summary>The class.</summary>
    [ColumnName(ColumnName)]
    [VectorType(1)]
    public VBuffer<ReadOnlyMemory<char>> Values { get; set; }
}
