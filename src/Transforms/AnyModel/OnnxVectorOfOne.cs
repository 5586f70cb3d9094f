using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms;

/// <summary>The vector that <see cref="OnnxScalar"/> reads.</summary>
/// <typeparam name="T">What a value is in memory.</typeparam>
public sealed class OnnxVectorOfOne<T>
{
    /// <summary>The one value.</summary>
    [ColumnName(OnnxScalar.SourceColumn)]
    [VectorType(1)]
    public VBuffer<T> Values { get; set; }
}
