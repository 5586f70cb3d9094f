using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution.Scoring;
using MlNetBatchNorm.Onnx.Execution.Sessions;

namespace MlNetBatchNorm;

/// <summary>
/// A model tied to tensors for a fixed number of rows where it reads and writes them. Fill the inputs (<see cref="Upload"/>, or another
/// model's run), <see cref="Run"/>, use the outputs there or <see cref="Download"/> them. From <see cref="OnnxScorer.CreateDeviceRun"/>;
/// one thread at a time. The model is not released before it is disposed.
/// </summary>
public sealed class DeviceRun : IDisposable
{
    private readonly RowLayout _layout;
    private readonly DeviceTensor[] _inputs;
    private readonly DeviceTensor[] _outputs;
    private readonly List<DeviceTensor> _own = [];
    private readonly BoundRun _run;

    internal DeviceRun(OnnxSession session, RowLayout layout, int rows, IReadOnlyDictionary<string, DeviceTensor>? tensors)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        if (layout.FixedRows is { } only && rows != only)
            throw new ArgumentOutOfRangeException(nameof(rows), rows, $"The model always takes {only} rows.");
        foreach (var name in tensors?.Keys ?? [])
            if (layout.Inputs.Concat(layout.Outputs).All(tensor => tensor.Name != name))
                throw new ArgumentException(
                    $"There is a tensor for '{name}', but the model has neither an input nor an output of that name.", nameof(tensors));
        _layout = layout;
        Rows = rows;
        _run = session.CreateBoundRun();
        try
        {
            _inputs = [.. layout.Inputs.Select(input => Given(input) ?? Own(session.AllocateInput, input))];
            _outputs = [.. layout.Outputs.Select(output => Given(output) ?? Own(session.AllocateOutput, output))];
            foreach (var (input, tensor) in layout.Inputs.Zip(_inputs)) _run.BindInput(input.Name, tensor);
            foreach (var (output, tensor) in layout.Outputs.Zip(_outputs)) _run.BindOutput(output.Name, tensor);
        }
        catch
        {
            Dispose();
            throw;
        }

        DeviceTensor? Given(RowTensor tensor)
        {
            if (tensors is null || !tensors.TryGetValue(tensor.Name, out var given)) return null;
            var shape = layout.ShapeOf(tensor, rows);
            return given.Type == tensor.Type && given.Shape.SequenceEqual(shape) ? given : throw new ArgumentException(
                $"The tensor {given} cannot be '{tensor.Name}' of {rows} row(s), which is a {tensor.Type}[{string.Join(", ", shape)}].",
                nameof(tensors));
        }

        DeviceTensor Own(Func<string, long[], DeviceTensor> allocate, RowTensor tensor)
        {
            _own.Add(allocate(tensor.Name, layout.ShapeOf(tensor, rows)));
            return _own[^1];
        }
    }

    /// <summary>The rows of each run.</summary>
    public int Rows { get; }

    /// <summary>The tensor of an input.</summary>
    /// <param name="name">The input's name.</param>
    /// <exception cref="ArgumentException">The model has no such input.</exception>
    public DeviceTensor Input(string name) => _inputs[RowLayout.IndexOf(_layout.Inputs, name, "input")];

    /// <summary>The tensor of an output.</summary>
    /// <param name="name">The output's name.</param>
    /// <exception cref="ArgumentException">The scorer computes no such output.</exception>
    public DeviceTensor Output(string name) => _outputs[RowLayout.IndexOf(_layout.Outputs, name, "output")];

    /// <summary>Brings rows to the inputs.</summary>
    /// <param name="rows">The rows one behind the other; for several inputs first every row of the first input, and so on.</param>
    /// <exception cref="ArgumentException">Another number of values.</exception>
    /// <exception cref="ModelRunException">The device failed.</exception>
    public void Upload(ReadOnlySpan<float> rows)
    {
        RequireLength(rows.Length, _inputs, "inputs");
        foreach (var input in _inputs)
        {
            input.Upload(rows[..(int)input.Length]);
            rows = rows[(int)input.Length..];
        }
    }

    /// <summary>Runs the model on what is in the inputs.</summary>
    /// <exception cref="ModelRunException">ONNX Runtime failed.</exception>
    public void Run() => _run.Run();

    /// <summary>Brings the results to the host.</summary>
    /// <param name="result">Room for them: first the first output of every row, and so on.</param>
    /// <exception cref="ArgumentException">Another number of values.</exception>
    /// <exception cref="ModelRunException">The device failed.</exception>
    public void Download(Span<float> result)
    {
        RequireLength(result.Length, _outputs, "outputs");
        foreach (var output in _outputs)
        {
            output.Download(result[..(int)output.Length]);
            result = result[(int)output.Length..];
        }
    }

    /// <summary>Frees its tensors; those that were given to it stay.</summary>
    public void Dispose()
    {
        _run.Dispose();
        foreach (var tensor in _own) tensor.Dispose();
    }

    private void RequireLength(int length, DeviceTensor[] tensors, string kind)
    {
        var expected = tensors.Sum(tensor => tensor.Length);
        if (length != expected)
            throw new ArgumentException($"The {kind} of {Rows} row(s) hold {expected} numbers, but there are {length}.");
    }
}
