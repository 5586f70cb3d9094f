using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms.Tables;

/// <summary>
/// The input schema that is saved with a pipeline: the columns that features are made from, and on the first of them, as an annotation, how a
/// table becomes those columns. So a saved pipeline can be given a CSV file without the program that trained it.
/// </summary>
internal static class PipelineSchema
{
    // A vector of two texts: the feature map and the classes, both as JSON.
    private const string TableAnnotation = "mlnetbn.table";

    public static DataViewSchema Create(TableSchema schema)
    {
        var annotations = new DataViewSchema.Annotations.Builder();
        ReadOnlyMemory<char>[] texts = [schema.Features.ToJson().AsMemory(), TextList.ToJson(schema.Label.Classes).AsMemory()];
        annotations.Add<VBuffer<ReadOnlyMemory<char>>>(
            TableAnnotation,
            new VectorDataViewType(TextDataViewType.Instance, texts.Length),
            (ref VBuffer<ReadOnlyMemory<char>> value) => value = new VBuffer<ReadOnlyMemory<char>>(texts.Length, texts));
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
        if (schema is null or { Count: 0 } || schema[0].Annotations.Schema.GetColumnOrNull(TableAnnotation) is null) return null;
        VBuffer<ReadOnlyMemory<char>> texts = default;
        schema[0].Annotations.GetValue(TableAnnotation, ref texts);
        return (FeatureMap.FromJson(texts.GetItemOrDefault(0).ToString()), TextList.FromJson(texts.GetItemOrDefault(1).ToString()));
    }
}
