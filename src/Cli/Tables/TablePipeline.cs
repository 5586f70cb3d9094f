using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// The feature vector of a <see cref="FeatureMap"/> made by ML.NET's own transforms, slot for slot the same. They save with the model and
/// convert to ONNX, so an application scores rows of raw columns without this library's tables.
/// </summary>
internal static class TablePipeline
{
    /// <summary>Chains the transforms from the columns of a <see cref="TableDataView"/> to the feature vector.</summary>
    /// <remarks>
    /// Fit the chain on the table that the schema was inferred from: numbers are imputed with the mean of the data that it is fitted on.
    /// The imputed and encoded columns replace the raw ones of the same name.
    /// </remarks>
    /// <param name="ml">The context.</param>
    /// <param name="schema">The schema of the training table.</param>
    /// <param name="featuresColumn">The name of the feature vector.</param>
    public static IEstimator<ITransformer> Build(MLContext ml, TableSchema schema, string featuresColumn = "Features")
    {
        ArgumentNullException.ThrowIfNull(ml);
        ArgumentNullException.ThrowIfNull(schema);
        ArgumentException.ThrowIfNullOrEmpty(featuresColumn);

        var columns = schema.Features.Columns;
        var chain = new EstimatorChain<ITransformer>();
        InputOutputColumnPair[] numbers = [.. columns.OfType<NumericFeature>().Select(InPlace)];
        if (numbers.Length > 0)
        {
            chain = chain.Append<ITransformer>(
                ml.Transforms.ReplaceMissingValues(numbers, MissingValueReplacingEstimator.ReplacementMode.Mean));
        }

        // Columns with the same categories (No, Yes) share one transform: every transform of a chain costs each row a step.
        foreach (var alike in columns.OfType<CategoricalFeature>().GroupBy(column => string.Join('\0', column.AllCategories)))
        {
            // Keys in the order given, not in the order in which the rows happen to bring them.
            var keys = ml.Data.LoadFromEnumerable(alike.First().AllCategories.Select(category => new CategoryKey { Category = category }));
            chain = chain.Append<ITransformer>(ml.Transforms.Categorical.OneHotEncoding([.. alike.Select(InPlace)], keyData: keys));
        }

        return chain.Append<ITransformer>(ml.Transforms.Concatenate(featuresColumn, [.. columns.Select(column => column.Name)]));
    }

    private static InputOutputColumnPair InPlace(FeatureColumn column) => new(column.Name);

    /// <summary>A row of the one-column data view that OneHotEncoding takes its keys from.</summary>
    private sealed class CategoryKey
    {
        public required string Category { get; init; }
    }
}
