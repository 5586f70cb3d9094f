namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>A block of float32 rows, filled and read input by input and output by output.</summary>
internal sealed class ScoringBlock : IDisposable
{
    private readonly RowLayout _layout;
    private readonly RowBlock _block;
    private readonly TensorBuffer<float>[] _inputs;
    private readonly TensorBuffer<float>[] _outputs;

    /// <param name="layout">How rows lie in the model.</param>
    /// <param name="block">Buffers for it; goes with this.</param>
    public ScoringBlock(RowLayout layout, RowBlock block)
    {
        _layout = layout;
        _block = block;
        _inputs = [.. layout.Inputs.Select((_, index) => _block.Input<float>(index))];
        _outputs = [.. layout.Outputs.Select((_, index) => _block.Output<float>(index))];
    }

    public int Capacity => _block.Capacity;

    public Span<float> Input(int input, int rows) => _inputs[input].Span[..(rows * _layout.InputWidths[input])];

    public ReadOnlySpan<float> Output(int output, int rows) => _outputs[output].Span[..(rows * _layout.OutputWidths[output])];

    public void Run(int rows) => _block.Run(rows);

    /// <summary>Takes rows in: <paramref name="count"/> rows lie input by input, of which <paramref name="part"/> from <paramref name="first"/> on are wanted.</summary>
    public void Fill(ReadOnlySpan<float> rows, int count, int first, int part)
    {
        var start = 0;
        for (var input = 0; input < _inputs.Length; input++)
        {
            var width = _layout.InputWidths[input];
            rows.Slice(start + (first * width), part * width).CopyTo(Input(input, part));
            start += count * width;
        }
    }

    /// <summary>Gives the results of those rows out, in the same way.</summary>
    public void Take(Span<float> result, int count, int first, int part)
    {
        var start = 0;
        for (var output = 0; output < _outputs.Length; output++)
        {
            var width = _layout.OutputWidths[output];
            Output(output, part).CopyTo(result[(start + (first * width))..]);
            start += count * width;
        }
    }

    public void Dispose() => _block.Dispose();
}
