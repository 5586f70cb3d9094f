using System.Globalization;
using Microsoft.ML;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Transforms.WholePipeline;

/// <summary>ML.NET's predictions against those of the exported model, on the same rows.</summary>
/// <param name="Rows">How many rows were compared.</param>
/// <param name="InBatches">Whether the model was run on many rows at once.</param>
/// <param name="UndecidedLabels">How many labels differ where their scores hardly do.</param>
/// <param name="Differences">One for each output.</param>
/// <param name="DiffersFor">The unusual values for which the model gives something else.</param>
internal sealed record PipelineComparison(
    long Rows, bool InBatches, long UndecidedLabels, IReadOnlyList<OutputDifference> Differences, IReadOnlyList<string> DiffersFor)
{
    private const int BatchSize = 256;

    // In batches, so many rows are run by themselves, too.
    private const int SingleRows = 8;

    /// <exception cref="ModelVerificationException">The model does not run, or differs by more than the tolerance.</exception>
    /// <exception cref="InvalidDataException">There are no rows.</exception>
    public static PipelineComparison Run(
        ModelProto model,
        ITransformer pipeline,
        IDataView data,
        IReadOnlyList<DataViewSchema.Column> outputs,
        FoldedPipelineOptions options,
        bool inBatches)
    {
        try
        {
            using var session = OnnxSession.Load(model, new ExecutionOptions { Name = "the exported pipeline" });
            return Run(session, pipeline, data, outputs, options, inBatches);
        }
        catch (Exception exception) when (exception is InvalidModelException or ModelRunException)
        {
            throw new ModelVerificationException(
                $"ONNX Runtime does not run the exported pipeline, so nothing was written. {exception.Message}");
        }
    }

    private static PipelineComparison Run(
        OnnxSession session,
        ITransformer pipeline,
        IDataView data,
        IReadOnlyList<DataViewSchema.Column> outputs,
        FoldedPipelineOptions options,
        bool inBatches)
    {
        var scored = pipeline.Transform(data);
        DataViewSchema.Column[] read = [.. session.Inputs.Select(input => data.Schema[input.Name])];
        DataViewSchema.Column[] given = [.. outputs.Select(output => scored.Schema[output.Name])];
        using var inputs = data.GetRowCursor(read);
        using var predictions = scored.GetRowCursor(given);
        var inputTensors = read.Select(column => ColumnTensor.Open(inputs, column)).ToArray();
        var outputTensors = given.Select(column => ColumnTensor.Open(predictions, column)).ToArray();
        var differences = new PredictionDifferences(given);
        var (limit, rows, atOnce) = (options.MaximumRows ?? long.MaxValue, 0L, inBatches ? BatchSize : 1);
        while (rows < limit)
        {
            options.CancellationToken.ThrowIfCancellationRequested();

            // A batch of one row would prove nothing about batches, so its row is taken twice.
            var count = Collect(
                inputs, predictions, inputTensors, outputTensors, (int)Math.Min(limit - rows, rows < SingleRows ? 1 : atOnce));
            if (count == 0) break;
            Compare(rows, inBatches ? 2 : 1);
            rows += count;
        }

        if (rows == 0)
            throw new InvalidDataException(
                "There are no rows to compare the exported pipeline on; give some rows as they go into the pipeline.");
        var undecided = differences.RequireWithin(options.Tolerance);
        return new PipelineComparison(rows, inBatches, undecided, differences.Results, [.. TryUnusualValues()]);

        void Compare(long first, int atLeast)
        {
            var feeds = Array.ConvertAll(inputTensors, tensor => tensor.Take(atLeast));
            var expected = Array.ConvertAll(outputTensors, tensor => tensor.Take(atLeast));
            differences.Add(first, expected, Outputs(feeds));

            // The first rows come one at a time: alone, and as a pair above.
            if (inBatches && first < SingleRows)
                differences.Add(first, Array.ConvertAll(expected, FirstRow), Outputs(Array.ConvertAll(feeds, FirstRow)));
        }

        // A value that the model answers otherwise than ML.NET is a matter of its row. Rows beside it have to stay what they are.
        IEnumerable<string> TryUnusualValues()
        {
            var first = UnusualValue.FirstRows(data);
            foreach (var value in UnusualValue.Of(read))
            {
                options.CancellationToken.ThrowIfCancellationRequested();
                string? failure = null;
                for (var at = 0; at < Math.Min(rows, UnusualValue.Rows) && failure is null; at++)
                    failure = Try(value, value.In(first, at), at);
                if (failure is not null) yield return $"{value}: {failure}";
            }
        }

        string? Try(UnusualValue value, IDataView changed, int at)
        {
            var (feeds, expected) = (Read(changed, read.Select(column => changed.Schema[column.Name])), Predicted(changed));

            // Some values ML.NET's own transforms refuse.
            if (expected is null) return null;
            string? failure = null;
            try
            {
                var together = inBatches ? Outputs(feeds) : null;
                for (var row = 0; row < expected[0].Shape[0]; row++)
                {
                    var difference = differences.ForOthers(given);
                    difference.Add(row, RowOf(expected, row), together is null ? Outputs(RowOf(feeds, row)) : RowOf(together, row));
                    try
                    {
                        difference.RequireWithin(options.Tolerance);
                    }
                    catch (ModelVerificationException exception) when (row == at)
                    {
                        failure = exception.Message.Replace(" Nothing was written.", string.Empty, StringComparison.Ordinal);
                    }
                    catch (ModelVerificationException exception)
                    {
                        throw new ModelVerificationException($"With {value} in another row of the batch: {exception.Message}");
                    }
                }
            }
            catch (ModelRunException exception)
            {
                return exception.Message;
            }

            return failure;
        }

        HostTensor[] RowOf(HostTensor[] tensors, int row) => Array.ConvertAll(tensors, tensor => Row(tensor, row));

        HostTensor[]? Predicted(IDataView rows)
        {
            try
            {
                var predicted = pipeline.Transform(rows);
                return Read(predicted, given.Select(column => predicted.Schema[column.Name]));
            }
            catch (Exception exception) when (exception is not OutOfMemoryException)
            {
                return null;
            }
        }

        HostTensor[] Outputs(HostTensor[] feeds)
        {
            var results = session.Run(read.Zip(feeds).ToDictionary(pair => pair.First.Name, pair => pair.Second, StringComparer.Ordinal));
            return [.. session.Outputs.Select(output => results[output.Name])];
        }
    }

    private static int Collect(
        DataViewRowCursor inputs, DataViewRowCursor predictions, ColumnTensor[] inputTensors, ColumnTensor[] outputTensors, int limit)
    {
        var count = 0;
        while (count < limit && inputs.MoveNext())
        {
            if (!predictions.MoveNext())
                throw new ModelVerificationException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"The pipeline gives fewer rows than it gets (row {inputs.Position}), which a file cannot. Nothing was written."));
            foreach (var tensor in inputTensors) tensor.Add();
            foreach (var tensor in outputTensors) tensor.Add();
            count++;
        }

        return count;
    }

    private static HostTensor FirstRow(HostTensor tensor) => Row(tensor, 0);

    private static HostTensor Row(HostTensor tensor, int index)
    {
        var row = Array.CreateInstance(tensor.Data.GetType().GetElementType()!, tensor.Data.Length / (int)tensor.Shape[0]);
        Array.Copy(tensor.Data, index * row.Length, row, 0, row.Length);
        return new HostTensor(tensor.Type, [1, .. tensor.Shape[1..]], row);
    }

    private static HostTensor[] Read(IDataView rows, IEnumerable<DataViewSchema.Column> columns)
    {
        DataViewSchema.Column[] all = [.. columns];
        using var cursor = rows.GetRowCursor(all);
        var tensors = Array.ConvertAll(all, column => ColumnTensor.Open(cursor, column));
        while (cursor.MoveNext())
            foreach (var tensor in tensors) tensor.Add();
        return Array.ConvertAll(tensors, tensor => tensor.Take(1));
    }
}
