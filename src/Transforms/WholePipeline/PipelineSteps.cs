using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms;

namespace MlNetBatchNorm.Transforms;

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
                    $"The pipeline cannot be exported to ONNX: {transformer.GetType().Name} does not make each row from one row. Leave it out of the pipeline.");
            bound.Add((transformer, transformer.GetRowToRowMapper(schema)));
            schema = bound[^1].Mapper.OutputSchema;
        }

        var needed = chooseOutputs(schema).ToHashSet(StringComparer.Ordinal);
        var steps = new List<PipelineStep>();
        foreach (var (transformer, mapper) in Enumerable.Reverse(bound))
        {
            // Choosing columns makes none.
            if (transformer is ColumnSelectingTransformer) continue;
            var made = mapper.OutputSchema.Where(column => !column.IsHidden && needed.Contains(column.Name) && PipelineStep.IsMade(mapper, column)).ToList();
            if (made.Count == 0) continue;
            var step = new PipelineStep(transformer, mapper, made);
            steps.Add(step);
            needed.ExceptWith(made.Select(column => column.Name));
            needed.UnionWith(step.Sources.Select(column => column.Name));
        }

        steps.Reverse();
        return (steps, schema);
    }

    /// <summary>The transformers of a chain and of those inside it. Every chain lists its parts, whatever the type of its last one.</summary>
    public static IEnumerable<ITransformer> Flatten(ITransformer model) =>
        model is IEnumerable<ITransformer> chain ? chain.SelectMany(Flatten) : [model];
}
