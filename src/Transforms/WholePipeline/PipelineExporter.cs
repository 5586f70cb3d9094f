using System.Globalization;
using Microsoft.ML;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Transforms.WholePipeline;

/// <summary>From a fitted pipeline to one model: joined, folded, compared.</summary>
internal static class PipelineExporter
{
    private static readonly string[] DefaultOutputs =
        [nameof(BinaryPrediction.Score), nameof(BinaryPrediction.Probability), nameof(BinaryPrediction.PredictedLabel)];

    public static FoldedPipeline Export(ITransformer pipeline, IDataView data, FoldedPipelineOptions options)
    {
        if (!(options.Tolerance >= 0))
            throw new ArgumentOutOfRangeException(nameof(options), options.Tolerance, "The tolerance is a number from 0.");
        if (options.LabelColumnName is { } label && data.Schema.GetColumnOrNull(label) is null)
            throw new ArgumentException(
                $"There is no label column '{label}' to judge the file by; the columns are "
                + $"{string.Join(", ", data.Schema.Select(column => column.Name))}.");
        var (steps, schema) = PipelineSteps.Of(pipeline, data.Schema, last => ChooseOutputs(last, options));
        DataViewSchema.Column[] outputs = [.. ChooseOutputs(schema, options).Select(name => schema[name])];
        var joined = PipelineJoiner.Join(steps, data.Schema, outputs, options.Opset);
        GraphChecker.Check(joined.Model);

        var fold = BatchNormFolder.Fold(joined.Model, new FoldOptions { Expand = true, KeepSubtractions = true });
        var model = fold.Model;
        var normalizers = fold.BatchNorms
            .Where(outcome => joined.StockScopes.Any(scope => outcome.Name.StartsWith(scope, StringComparison.Ordinal)))
            .ToList();
        var comparison = Verify(model.Proto, pipeline, data, outputs, options);

        SetNumber(model.Proto, ModelMetadata.LargestAbsoluteDifference, comparison.Differences.Max(output => output.LargestAbsolute));
        SetNumber(model.Proto, ModelMetadata.LargestRelativeDifference, comparison.Differences.Max(output => output.LargestRelative));
        SetNumber(model.Proto, ModelMetadata.VerifiedRows, comparison.Rows);
        foreach (var (key, value) in options.Metadata) ModelFile.SetMetadata(model.Proto, key, value);
        var reduction = options.Precision == ModelPrecision.Float32
            ? null
            : PipelineReduction.Run(model.Proto, data, options, comparison.InBatches);
        model = reduction?.Result.Model ?? model;
        return new FoldedPipeline(model)
        {
            Inputs = model.Inputs,
            Outputs = model.Outputs,
            Nodes = model.Proto.Graph.Node.Count,
            BatchNormsFolded = joined.BatchNormsFolded,
            NormalizersFolded = normalizers.Count(outcome => outcome.Reason.Length == 0),
            NormalizersKept = [.. normalizers.Where(outcome => outcome.Reason.Length > 0).Select(
                outcome => $"{outcome.Name} ({outcome.Reason})")],
            TakesBatches = comparison.InBatches,
            RowsCompared = comparison.Rows,
            UndecidedLabels = comparison.UndecidedLabels,
            Differences = comparison.Differences,
            DiffersFor = comparison.DiffersFor,
            Reduction = reduction,
        };
    }

    private static string[] ChooseOutputs(DataViewSchema schema, FoldedPipelineOptions options)
    {
        var columns = schema.Where(column => !column.IsHidden).Select(column => column.Name).ToList();
        if (options.Outputs is not { Count: > 0 } wanted)
        {
            string[] found = [.. DefaultOutputs.Where(columns.Contains)];
            return found.Length > 0 ? found : throw new ArgumentException(
                $"The pipeline gives none of the columns {string.Join(", ", DefaultOutputs)}; its columns are "
                + $"{string.Join(", ", columns)}. Say in the options which outputs the file is to give.");
        }

        return wanted.FirstOrDefault(name => !columns.Contains(name)) is { } missing
            ? throw new ArgumentException($"The pipeline gives no column '{missing}'; its columns are {string.Join(", ", columns)}.")
            : [.. wanted.Distinct(StringComparer.Ordinal)];
    }

    // Some of ML.NET's conversions are right for one row only. Then the file says so, and is compared row by row.
    private static PipelineComparison Verify(
        ModelProto model,
        ITransformer pipeline,
        IDataView data,
        IReadOnlyList<DataViewSchema.Column> outputs,
        FoldedPipelineOptions options)
    {
        ModelVerificationException failure;
        try
        {
            return PipelineComparison.Run(model, pipeline, data, outputs, options, inBatches: true);
        }
        catch (ModelVerificationException exception)
        {
            failure = exception;
        }

        foreach (var info in model.Graph.Input.Concat(model.Graph.Output).Concat(model.Graph.ValueInfo))
            if (info.Type?.TensorType?.Shape?.Dim is [{ DimParam: "N" } rows, ..]) rows.DimValue = 1;
        try
        {
            return PipelineComparison.Run(model, pipeline, data, outputs, options, inBatches: false);
        }
        catch (ModelVerificationException)
        {
            throw failure;
        }
    }

    private static void SetNumber(ModelProto model, string key, double value) =>
        ModelFile.SetMetadata(model, key, value.ToString("R", CultureInfo.InvariantCulture));
}
