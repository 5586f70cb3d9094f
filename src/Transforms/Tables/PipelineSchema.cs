using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tables;

/// <summary>
/// The input schema that is saved with a pipeline: the columns that features are made from, and on the first of them, as annotations, how a
/// table becomes those columns. So a saved pipeline can be given a CSV file without the program that trained it.
/// </summary>
internal static class PipelineSchema
{
    private const string FeaturesAnnotation = "mlnetbn.features";
    private const string LabelsAnnotation = "mlnetbn.labels";

    public static DataViewSchema Create(TableSchema schema)
    {
        var annotations = new DataViewSchema.Annotations.Builder();
        annotations.AddPrimitiveValue(FeaturesAnnotation, TextDataViewType.Instance, schema.Features.ToJson().AsMemory());
        annotations.AddPrimitiveValue(LabelsAnnotation, TextDataViewType.Instance, TextList.ToJson(schema.Label.Classes).AsMemory());
        var builder = new DataViewSchema.Builder();
        foreach (var (column, index) in schema.Features.Columns.Select((column, index) => (column, index)))
        {
            DataViewType type = column is NumericFeature ? NumberDataViewType.Single : TextDataViewType.Instance;
            builder.AddColumn(column.Name, type, index == 0 ? annotations.ToAnnotations() : null);
        }

        return builder.ToSchema();
    }

    /// <summary>The feature map and the classes in a schema; null when the pipeline was not trained from a table.</summary>
    public static (FeatureMap Features, string[] Classes)? Read(DataViewSchema? schema)
    {
        if (schema is null or { Count: 0 }) return null;
        return Text(schema[0], FeaturesAnnotation) is { } features && Text(schema[0], LabelsAnnotation) is { } labels
            ? (FeatureMap.FromJson(features), TextList.FromJson(labels))
            : null;
    }

    private static string? Text(DataViewSchema.Column column, string kind)
    {
        if (column.Annotations.Schema.GetColumnOrNull(kind) is null) return null;
        ReadOnlyMemory<char> text = default;
        column.Annotations.GetValue(kind, ref text);
        return text.ToString();
    }
}
