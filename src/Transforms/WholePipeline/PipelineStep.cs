using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms;

/// <summary>One transformer of a pipeline that the outputs depend on.</summary>
/// <param name="Transformer">The transformer, never a chain of several.</param>
/// <param name="Mapper">It, bound to the schema that it gets.</param>
/// <param name="Needed">The columns that it makes and that are needed further on.</param>
internal sealed record PipelineStep(ITransformer Transformer, IRowToRowMapper Mapper, IReadOnlyList<DataViewSchema.Column> Needed)
{
    /// <summary>The kind of transformer, as in its class's name.</summary>
    public string Name { get; } = Transformer.GetType().Name.Split('`')[0];

    /// <summary>The columns that the needed ones are made from, in the order of the schema.</summary>
    public IReadOnlyList<DataViewSchema.Column> Sources => [.. Mapper.GetDependencies(Needed)];

    /// <summary>The columns that the transformer reads in all.</summary>
    public IReadOnlyList<DataViewSchema.Column> AllSources => [.. Mapper.GetDependencies(Mapper.OutputSchema.Where(column => !column.IsHidden && IsMade(column)))];

    /// <summary>The error that the step cannot be exported.</summary>
    /// <param name="reason">A clause that says why.</param>
    /// <param name="exception">What was thrown, if anything.</param>
    public NotSupportedException Unsupported(string reason, Exception? exception = null) => new(
        $"The pipeline cannot be exported to ONNX: {Name}, which makes the column{(Needed.Count == 1 ? string.Empty : "s")} "
        + $"{string.Join(", ", Needed.Select(column => $"'{column.Name}' ({column.Type})"))}, {reason} Replace it by a transform that can be exported, or take it out of the "
        + "pipeline and export the rest on data that it was applied to: its columns are inputs of the file then.",
        exception);

    /// <summary>Whether a column of the output is made here, rather than passed on.</summary>
    public bool IsMade(DataViewSchema.Column column) => IsMade(Mapper, column);

    /// <summary>
    /// Whether a mapper makes a column of its output. It hides what it replaces, so that there is one more of that name behind it than in front.
    /// </summary>
    public static bool IsMade(IRowToRowMapper mapper, DataViewSchema.Column column) =>
        mapper.OutputSchema.Count(other => other.Name == column.Name) > mapper.InputSchema.Count(other => other.Name == column.Name);
}
