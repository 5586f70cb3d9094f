using System.Numerics;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>
/// Buffers for up to a number of rows, and the runs bound to their first rows, made when first needed: one for each number of rows up to 16,
/// and eight for each doubling beyond, so that at most an eighth of a run's rows is for nothing.
/// </summary>
internal sealed class ScoringBlock : IDisposable
{
    private const int StepsPerDoubling = 8;
    private const int ExactUpTo = 2 * StepsPerDoubling;

    private readonly OnnxSession _session;
    private readonly RowLayout _layout;
    private readonly TensorBuffer<float>[] _inputs;
    private readonly TensorBuffer<float>[] _outputs;
    private readonly BoundRun?[] _steps;
    private BoundRun? _exact;
    private int _exactRows;
    private int _lastRows;

    // The capacity is a power of two, or the model's only number of rows.
    public ScoringBlock(OnnxSession session, RowLayout layout, int capacity)
    {
        _session = session;
        _layout = layout;
        Capacity = capacity;
        _inputs = [.. layout.Inputs.Select(input => new TensorBuffer<float>(RowLayout.ShapeOf(input, capacity)))];
        _outputs = [.. layout.Outputs.Select(output => new TensorBuffer<float>(RowLayout.ShapeOf(output, capacity)))];
        _steps = new BoundRun?[layout.FixedRows is null ? StepOf(capacity).Index + 1 : 1];
    }

    public int Capacity { get; }

    /// <summary>The rows of the run that so many rows go into: the number itself, or the next one up that has a run of its own.</summary>
    public static int RunRows(int rows) => StepOf(rows).Rows;

    public Span<float> Input(int input, int rows) => _inputs[input].Span[..(rows * _layout.InputWidths[input])];

    public ReadOnlySpan<float> Output(int output, int rows) => _outputs[output].Span[..(rows * _layout.OutputWidths[output])];

    // The rows past `rows` are whatever was there before; each row's result depends on that row alone.
    public void Run(int rows)
    {
        var (runRows, index) = _layout.FixedRows is { } only ? (only, 0) : StepOf(rows);

        // A number of rows that comes again gets a run of its own, without any row for nothing.
        var repeated = rows == _lastRows;
        _lastRows = rows;
        if (runRows == rows || !repeated || _layout.FixedRows is not null) (_steps[index] ??= Bind(runRows)).Run();
        else Exact(rows).Run();
    }

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

    public void Dispose()
    {
        foreach (var run in _steps) run?.Dispose();
        _exact?.Dispose();
        foreach (var buffer in _inputs) buffer.Dispose();
        foreach (var buffer in _outputs) buffer.Dispose();
    }

    private static (int Rows, int Index) StepOf(int rows)
    {
        if (rows <= ExactUpTo) return (rows, rows);
        var stepBits = BitOperations.Log2((uint)(rows - 1)) - BitOperations.Log2(StepsPerDoubling);
        var steps = ((rows - 1) >> stepBits) + 1;
        return (steps << stepBits, ExactUpTo + ((stepBits - 1) * StepsPerDoubling) + steps - StepsPerDoubling);
    }

    private BoundRun Exact(int rows)
    {
        if (_exact is { } bound && _exactRows == rows) return bound;
        _exact?.Dispose();
        _exact = null;
        _exactRows = rows;
        return _exact = Bind(rows);
    }

    private BoundRun Bind(int rows)
    {
        var run = _session.CreateBoundRun();
        try
        {
            for (var i = 0; i < _inputs.Length; i++) run.BindInput(_layout.Inputs[i].Name, _inputs[i].Rows(rows));
            for (var i = 0; i < _outputs.Length; i++) run.BindOutput(_layout.Outputs[i].Name, _outputs[i].Rows(rows));
            return run;
        }
        catch
        {
            run.Dispose();
            throw;
        }
    }
}
