using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Transforms;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// The input schema that is saved with a pipeline: the columns that features are made from, and on the first of them, as an annotation, how a
/// table becomes those columns. So a saved pipeline can be given a CSV file without the program that trained it.
/// </summary>
/// <param name="Task">What the pipeline predicts.</param>
/// <param name="Features">How a table becomes its input.</param>
/// <param name="Classes">The classes; none for regression.</param>
internal sealed record PipelineSchema(TaskKind Task, FeatureMap Features, string[] Classes)
{
    // A vector of three texts: the feature map and the classes, both as JSON, and the name of the task. The first pipelines had two texts.
    private const string TableAnnotation = "mlnetbn.table";

    public static DataViewSchema Create(TableSchema schema)
    {
        var annotations = new DataViewSchema.Annotations.Builder();
        ReadOnlyMemory<char>[] texts =
        [
            schema.Features.ToJson().AsMemory(),
            TextList.ToJson(schema.Label.Classes).AsMemory(),
            TaskNames.NameOf(schema.Label.Task).AsMemory(),
        ];
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

    /// <summary>What a schema says of the table; null when the pipeline was not trained from one.</summary>
    /// <exception cref="InvalidModelException">It was trained for a task that this program does not know.</exception>
    public static PipelineSchema? Read(DataViewSchema? schema)
    {
        if (schema is null or { Count: 0 } || schema[0].Annotations.Schema.GetColumnOrNull(TableAnnotation) is null) return null;
        VBuffer<ReadOnlyMemory<char>> texts = default;
        schema[0].Annotations.GetValue(TableAnnotation, ref texts);
        var name = texts.Length < 3 ? TaskNames.NameOf(TaskKind.Binary) : texts.GetItemOrDefault(2).ToString();
        var task = TaskNames.Find(name) ?? throw new InvalidModelException(
            $"The pipeline predicts '{name}'; one of {string.Join(", ", TaskNames.All)} was expected.");
        return new PipelineSchema(task, FeatureMap.FromJson(texts.GetItemOrDefault(0).ToString()), TextList.FromJson(texts.GetItemOrDefault(1).ToString()));
    }
}
