using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;

namespace MlNetBatchNorm.Transforms.WholePipeline;

/// <summary>Takes a fitted pipeline apart: which of its transformers the outputs depend on, in order.</summary>
internal static class PipelineSteps
{
    /// <summary>The steps, and the schema behind the last of them.</summary>
    /// <param name="model">A transformer, or a chain of them; chains may be nested.</param>
    /// <param name="input">The schema of the data.</param>
    /// <param name="chooseOutputs">Chooses the needed columns from the last schema, by name.</param>
    /// <exception cref="NotSupportedException">A transformer does not work row by row.</exception>
    public static (IReadOnlyList<PipelineStep> Steps, DataViewSchema Output) Of(
        ITransformer model, DataViewSchema input, Func<DataViewSchema, IReadOnlyList<string>> chooseOutputs)
    {
        var bound = new List<(ITransformer Transformer, IRowToRowMapper Mapper)>();
        var schema = input;
        foreach (var transformer in Flatten(model))
        {
            if (!transformer.IsRowToRowMapper)
                throw new NotSupportedException(
                    $"The pipeline cannot be exported to ONNX: {transformer.GetType().Name} does not make each row from one row. Leave "
                    + "it out of the pipeline.");
            bound.Add((transformer, transformer.GetRowToRowMapper(schema)));
            schema = bound[^1].Mapper.OutputSchema;
        }

        var needed = chooseOutputs(schema).ToHashSet(StringComparer.Ordinal);
        var steps = new List<PipelineStep>();
        foreach (var (transformer, mapper) in Enumerable.Reverse(bound))
        {
            // Choosing columns makes none.
            if (transformer is ColumnSelectingTransformer) continue;
            var made = mapper.OutputSchema
                .Where(column => !column.IsHidden && needed.Contains(column.Name) && PipelineStep.IsMade(mapper, column))
                .ToList();
            if (made.Count == 0) continue;
            var step = new PipelineStep(transformer, mapper, made);
            steps.Add(step);
            needed.ExceptWith(made.Select(column => column.Name));
            needed.UnionWith(step.Sources.Select(column => column.Name));
        }

        steps.Reverse();
        return (steps, schema);
    }

    /// <summary>
    /// The transformers of a chain and of those inside it. Every chain lists its parts, whatever the type of its last one.
    /// </summary>
    public static IEnumerable<ITransformer> Flatten(ITransformer model) =>
        model is IEnumerable<ITransformer> chain ? chain.SelectMany(Flatten) : [model];
}

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
    public IReadOnlyList<DataViewSchema.Column> AllSources =>
        [.. Mapper.GetDependencies(Mapper.OutputSchema.Where(column => !column.IsHidden && IsMade(column)))];

    /// <summary>The error that the step cannot be exported.</summary>
    /// <param name="reason">A clause that says why.</param>
    /// <param name="exception">What was thrown, if anything.</param>
    public NotSupportedException Unsupported(string reason, Exception? exception = null) => new(
        $"The pipeline cannot be exported to ONNX: {Name}, which makes the column{(Needed.Count == 1 ? string.Empty : "s")} "
        + $"{string.Join(", ", Needed.Select(column => $"'{column.Name}' ({column.Type})"))}, {reason} Replace it by a transform that can "
        + "be exported, or take it out of the pipeline and export the rest on data that it was applied to: its columns are inputs of the "
        + "file then.",
        exception);

    /// <summary>Whether a column of the output is made here, rather than passed on.</summary>
    public bool IsMade(DataViewSchema.Column column) => IsMade(Mapper, column);

    /// <summary>
    /// Whether a mapper makes a column of its output. It hides what it replaces, so that there is one more of that name behind it than in
    /// front.
    /// </summary>
    public static bool IsMade(IRowToRowMapper mapper, DataViewSchema.Column column) =>
        mapper.OutputSchema.Count(other => other.Name == column.Name) > mapper.InputSchema.Count(other => other.Name == column.Name);
}
