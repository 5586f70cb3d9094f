using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms;

/// <summary>Copies a row's features out of ML.NET's vectors.</summary>
internal static class FeatureVector
{
    public static void Copy(in VBuffer<float> vector, Span<float> target, string column, long row)
    {
        if (vector.Length != target.Length)
            throw new InvalidDataException(
                $"Row {row} has {vector.Length} values in the column '{column}', but the network was trained on {target.Length}.");
        vector.CopyTo(target);
    }
}
