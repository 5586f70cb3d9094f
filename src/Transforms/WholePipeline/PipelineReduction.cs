using System.Globalization;
using Microsoft.ML;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Verification;
using MlNetBatchNorm.Transforms.Tasks;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms.WholePipeline;

/// <summary>An exported pipeline with fewer bits, judged on the rows that the export is compared on.</summary>
internal static class PipelineReduction
{
    // All of them are in memory at once, with whatever the pipeline computes from them.
    private const int MostRows = 10_000;

    /// <exception cref="ModelVerificationException">It costs more than the options allow.</exception>
    public static PrecisionCheck Run(ModelProto model, IDataView data, FoldedPipelineOptions options, bool inBatches)
    {
        var (inputs, labels) = Read(model, data, options, inBatches);
        var check = PrecisionCheck.Run(
            model, options.Precision, inputs, new PrecisionCheckOptions { Loss = options.AllowedMetricLoss }, labels);
        return check.WhyRefused is { } reason
            ? throw new ModelVerificationException($"With {PrecisionNames.NameOf(options.Precision)}, {reason}. Nothing was written.")
            : check;
    }

    private static (IReadOnlyList<IReadOnlyDictionary<string, HostTensor>> Inputs, RowLabels? Labels) Read(
        ModelProto model, IDataView data, FoldedPipelineOptions options, bool inBatches)
    {
        DataViewSchema.Column[] columns = [.. model.Graph.Input.Select(input => data.Schema[input.Name])];
        DataViewSchema.Column? label = options.LabelColumnName is { } name ? data.Schema[name] : null;
        using var cursor = data.GetRowCursor(label is { } extra ? [.. columns, extra] : columns);
        var tensors = columns.Select(column => ColumnTensor.Open(cursor, column)).ToArray();
        var answers = label is { } given ? ColumnTensor.Open(cursor, given) : null;
        var keys = label is { } key ? KeyTable.Of(key) : null;
        var (inputs, values) = (new List<IReadOnlyDictionary<string, HostTensor>>(), new List<HostTensor>());
        var (limit, rows, waiting) = (Math.Min(options.MaximumRows ?? MostRows, MostRows), 0L, 0);
        while (rows < limit && cursor.MoveNext())
        {
            foreach (var tensor in tensors) tensor.Add();
            answers?.Add();
            rows++;
            waiting++;
            if (!inBatches) Take();
        }

        if (waiting > 0) Take();
        if (answers is null) return (inputs, null);
        return (inputs, new RowLabels(values) { Name = options.LabelColumnName!, Output = Judged(model, options) });

        void Take()
        {
            inputs.Add(
                columns.Zip(tensors).ToDictionary(pair => pair.First.Name, pair => pair.Second.Take(waiting), StringComparer.Ordinal));
            if (answers?.Take(waiting) is { } taken) values.Add(ToLabels(keys?.Look(taken) ?? taken, model));
            waiting = 0;
        }
    }

    // Classes are known by their texts: a label that is the number 7 need not be the class number 7.
    private static HostTensor ToLabels(HostTensor labels, ModelProto model) =>
        labels.Data is string[] || NetworkTask.Of(model) is not { Kind: LearningTask.Multiclass }
            ? labels
            : new HostTensor(
                DataType.String,
                labels.Shape,
                labels.Data.Cast<object>().Select(value => Convert.ToString(value, CultureInfo.InvariantCulture)!).ToArray());

    private static string Judged(ModelProto model, FoldedPipelineOptions options)
    {
        const string Score = nameof(BinaryPrediction.Score);
        return model.Graph.Output.Select(output => output.Name).FirstOrDefault(name => name is Score or Score + PipelineJoiner.OutputEnding)
            ?? throw new ArgumentException(
                $"A file that does not give '{Score}' cannot be judged by the label '{options.LabelColumnName}'; leave the label out, or "
                + "give that column as well.");
    }
}
