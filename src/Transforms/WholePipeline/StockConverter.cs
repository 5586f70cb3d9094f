using Microsoft.ML;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms.Onnx;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Transforms.Interop;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms.WholePipeline;

/// <summary>
/// Converts one of ML.NET's own transformers by ML.NET's own converter. Each is converted by itself: the converter stops silently at a
/// transformer that it does not know and takes that one's columns for inputs, so that whatever stands before would be lost.
/// </summary>
internal static class StockConverter
{
    /// <summary>The graph of a step: its inputs have the names of columns.</summary>
    /// <returns>The model, and the name of the output for each needed column.</returns>
    /// <exception cref="NotSupportedException">The converter cannot convert the transformer, or one of the columns.</exception>
    public static (ModelProto Model, IReadOnlyDictionary<string, string> Outputs) Convert(PipelineStep step)
    {
        if (step.Transformer is OnnxTransformer or BatchedOnnxTransformer)
            throw step.Unsupported("runs an ONNX model of its own, which cannot be joined with others. Export the pipeline without it.");

        // A transformer of somebody else's may look like any other: ML.NET would export it as a copy of its input.
        if (step.Transformer.GetType().Assembly.GetName().Name?.StartsWith("Microsoft.ML", StringComparison.Ordinal) != true)
            throw step.Unsupported(
                "is neither one of ML.NET's transformers nor a batch-normalised network, and only those can be converted.");

        var ml = new MLContext();
        string? stopped = null;
        ml.Log += (_, e) =>
        {
            if (e.Kind == ChannelMessageKind.Warning && e.RawMessage?.Contains("ONNX", StringComparison.Ordinal) == true)
                stopped ??= e.RawMessage;
        };
        using var stream = new MemoryStream();
        try
        {
            ml.Model.ConvertToOnnx(step.Transformer, EmptyView.Of(step.AllSources), stream, [.. step.Needed.Select(column => column.Name)]);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            throw step.Unsupported($"cannot be converted by ML.NET's converter ({Sentence(stopped ?? exception.Message)}).", exception);
        }

        if (stopped is not null) throw step.Unsupported($"cannot be converted by ML.NET's converter ({Sentence(stopped)}).");
        var model = ModelFile.Parse(stream.ToArray());

        // The converter writes ONNX Runtime's own MurmurHash3, but does not say so.
        var imported = model.OpsetImport.Select(import => import.Domain).ToHashSet(StringComparer.Ordinal);
        foreach (var domain in model.Graph.Node.Where(node => !node.IsStandard()).Select(node => node.Domain).Distinct().Except(imported))
            model.OpsetImport.Add(new OperatorSetIdProto { Domain = domain, Version = 1 });
        var outputs = NameOutputs(step, model);
        ModelEditor.Prune(model, [.. outputs.Values]);
        DeclareShapes(step, model);
        return (model, outputs);
    }

    // Outputs come in the order of the schema; between them stand the names of slots, as nodes that lead nowhere.
    private static Dictionary<string, string> NameOutputs(PipelineStep step, ModelProto model)
    {
        string[] outputs = [.. model.Graph.Output.Select(output => output.Name).Where(
            name => !name.StartsWith("mlnet.", StringComparison.Ordinal))];
        if (outputs.Length != step.Needed.Count)
            throw step.Unsupported($"is converted to a graph with {outputs.Length} outputs instead of {step.Needed.Count}.");
        return step.Needed.Select((column, index) => (column.Name, outputs[index])).ToDictionary(StringComparer.Ordinal);
    }

    // The converter writes -1 for the number of rows; an input's type is that of its column.
    private static void DeclareShapes(PipelineStep step, ModelProto model)
    {
        foreach (var info in model.Graph.Input.Concat(model.Graph.ValueInfo).Concat(model.Graph.Output))
            if (info.Type?.TensorType?.Shape?.Dim is [{ HasDimValue: true, DimValue: < 0 } rows, ..])
                rows.DimParam = TensorDimension.Rows.Symbol!;
        foreach (var input in model.Graph.Input)
        {
            if (step.Mapper.InputSchema.GetColumnOrNull(input.Name) is not { } column
                || ColumnTensor.TypeOf(column.Type) == DataType.Undefined)
                throw step.Unsupported($"is converted to a graph that reads '{input.Name}', which is no column that can be read.");
        }
    }

    private static string Sentence(string message) => message.ReplaceLineEndings(" ").Trim().TrimEnd('.');
}
