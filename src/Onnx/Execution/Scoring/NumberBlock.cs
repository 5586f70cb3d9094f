using MlNetBatchNorm.Onnx.Execution.Memory;
using MlNetBatchNorm.Onnx.Execution.Sharing;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>A block of float32 rows, which is filled from callers' memory and read into it: input by input and output by output.</summary>
internal sealed class NumberBlock : RowBlock
{
    private readonly Part[] _inputs;
    private readonly Part[] _outputs;

    /// <inheritdoc cref="RowBlock(OnnxSession, ModelSessions, RowLayout, int)"/>
    public NumberBlock(OnnxSession session, ModelSessions? sessions, RowLayout layout, int capacity)
        : base(session, sessions, layout, capacity)
    {
        _inputs = [.. layout.Inputs.Select((input, index) => new Part(Input<float>(index), input.Count))];
        _outputs = [.. layout.Outputs.Select((output, index) => new Part(Output<float>(index), output.Count))];
    }

    /// <summary>The first rows of an input.</summary>
    public Span<float> Input(int input, int rows) => _inputs[input].Rows(rows);

    /// <summary>The first rows of an output.</summary>
    public ReadOnlySpan<float> Output(int output, int rows) => _outputs[output].Rows(rows);

    /// <summary>Takes rows in.</summary>
    /// <param name="rows">All rows of a batch, input by input.</param>
    /// <param name="count">Their number.</param>
    /// <param name="first">The first one that is wanted.</param>
    /// <param name="part">How many are wanted.</param>
    public void Fill(ReadOnlySpan<float> rows, int count, int first, int part)
    {
        var start = 0;
        foreach (var input in _inputs)
        {
            rows.Slice(start + (first * input.Width), part * input.Width).CopyTo(input.Rows(part));
            start += count * input.Width;
        }
    }

    /// <summary>Gives the results of those rows out, in the same way.</summary>
    public void Take(Span<float> result, int count, int first, int part)
    {
        var start = 0;
        foreach (var output in _outputs)
        {
            output.Rows(part).CopyTo(result[(start + (first * output.Width))..]);
            start += count * output.Width;
        }
    }

    private readonly record struct Part(TensorBuffer<float> Buffer, int Width)
    {
        public Span<float> Rows(int rows) => Buffer.Span[..(rows * Width)];
    }
}
