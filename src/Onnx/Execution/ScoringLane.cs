using System.Numerics;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>Buffers for a scoring run, and the runs bound to them: one for each power of two of rows, made when first needed.</summary>
internal sealed class ScoringLane : IDisposable
{
    private readonly OnnxSession _session;
    private readonly string _inputName;
    private readonly TensorBuffer<float> _input;
    private readonly (string Name, TensorBuffer<float> Buffer, int Width)[] _outputs;
    private readonly BoundRun?[] _runs;

    public ScoringLane(OnnxSession session, string inputName, IReadOnlyList<long> rowShape, IReadOnlyList<TensorInfo> outputs, int capacity)
    {
        _session = session;
        _inputName = inputName;
        _input = new TensorBuffer<float>([capacity, .. rowShape]);
        _outputs = [.. outputs.Select(output =>
        {
            var buffer = new TensorBuffer<float>([capacity, .. output.Shape.Skip(1).Select(size => size.Size!.Value)]);
            return (output.Name, buffer, buffer.Length / capacity);
        })];
        _runs = new BoundRun?[BitOperations.Log2((uint)capacity) + 1];
    }

    // The rows past `count` are whatever was there before; each row's result depends on that row alone.
    public void Run(ReadOnlySpan<float> rows, int count)
    {
        rows.CopyTo(_input.Span);
        var power = BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)count));
        (_runs[power] ??= Bind(1 << power)).Run();
    }

    public ReadOnlySpan<float> Result(int output, int count) => _outputs[output].Buffer.Span[..(count * _outputs[output].Width)];

    public void Dispose()
    {
        foreach (var run in _runs) run?.Dispose();
        _input.Dispose();
        foreach (var (_, buffer, _) in _outputs) buffer.Dispose();
    }

    private BoundRun Bind(int rows)
    {
        var run = _session.CreateBoundRun();
        run.BindInput(_inputName, _input.Rows(rows));
        foreach (var output in _session.Outputs)
        {
            if (_outputs.FirstOrDefault(wanted => wanted.Name == output.Name) is { Buffer: { } buffer }) run.BindOutput(output.Name, buffer.Rows(rows));
        }

        return run;
    }
}
