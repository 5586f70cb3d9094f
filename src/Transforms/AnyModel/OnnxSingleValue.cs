using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms;

/// <summary>The scalar that <see cref="OnnxScalar"/> makes.</summary>
/// <typeparam name="T">What a value is in memory.</typeparam>
public sealed class OnnxSingleValue<T>
{
    /// <summary>The value.</summary>
    [ColumnName(OnnxScalar.ResultColumn)]
    public T Value { get; set; } = default!;
}
