using Microsoft.ML;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// Adds the columns of a prediction class to a schema's shape. ML.NET gives <c>SchemaShape.Column</c> no public constructor, so a
/// CustomMapping that adds the same columns is asked for its shape.
/// </summary>
internal static class PredictionShape
{
    public static SchemaShape Append<TPrediction>(SchemaShape input)
        where TPrediction : class, new() =>
        new MLContext().Transforms
            .CustomMapping<NoInput, TPrediction>((_, _) => { }, contractName: null)
            .GetOutputSchema(input);

    private sealed class NoInput;
}
