using Microsoft.ML;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// Adds the columns of a prediction to a schema's shape. ML.NET gives <c>SchemaShape.Column</c> no public constructor, so its own estimators
/// that would add the same columns are asked for their shapes.
/// </summary>
internal static class PredictionShape
{
    /// <summary>Adds a scalar for each member of a prediction class.</summary>
    public static SchemaShape Append<TPrediction>(SchemaShape input)
        where TPrediction : class, new() =>
        new MLContext().Transforms
            .CustomMapping<NoInput, TPrediction>((_, _) => { }, contractName: null)
            .GetOutputSchema(input);

    /// <summary>
    /// Adds a vector with slot names, as joining scalars makes one, and a key with the label's own key values, as copying it makes one.
    /// </summary>
    public static SchemaShape AppendMulticlass(SchemaShape input, string label)
    {
        var transforms = new MLContext().Transforms;
        var withScore = transforms.Concatenate(MulticlassColumns.Score, MulticlassColumns.Score).GetOutputSchema(Append<RegressionPrediction>(input));
        return transforms.CopyColumns(MulticlassColumns.PredictedLabel, label).GetOutputSchema(withScore);
    }

    private sealed class NoInput;
}
