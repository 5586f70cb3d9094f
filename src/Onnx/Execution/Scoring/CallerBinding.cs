using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlNetBatchNorm.Onnx.Execution.Sessions;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>
/// A batch bound to the caller's own memory, so that nothing is copied. Binding costs about as much as copying a few hundred rows and makes
/// objects; it is done when the same memory comes twice in a row, as it does from everyone who keeps a buffer.
/// A few numbers are copied sooner than looked at twice.
/// </summary>
internal sealed unsafe class CallerBinding(OnnxSession session, RowLayout layout) : IDisposable
{
    private const int MostRuns = 64;
    private const int FewNumbers = 4096;

    private readonly int _fewRows = FewNumbers / (layout.RowLength + layout.ResultLength);
    private BoundRun[] _runs = [];
    private (nint Rows, nint Result, int Count, int Chunk) _bound;
    private (nint Rows, nint Result, int Count, int Chunk) _last;

    /// <summary>Whether the batch is bound: then its chunks can be run in place, by whom and in which order the caller likes.</summary>
    /// <param name="rows">The rows; the caller holds them in place until the last chunk is done.</param>
    /// <param name="result">Room for the results, held in place as well.</param>
    /// <param name="count">The number of rows.</param>
    /// <param name="chunk">The most rows in one run.</param>
    /// <remarks>
    /// The address is all that is kept: memory that lies at the same address later is as good as this, since it is given in full again.
    /// </remarks>
    public bool TryBind(float* rows, float* result, int count, int chunk)
    {
        if (count <= _fewRows) return false;
        var memory = ((nint)rows, (nint)result, count, chunk);
        if (memory == _bound) return true;
        var repeated = memory == _last;
        _last = memory;
        if (!repeated || !CanBind(count, chunk)) return false;
        Bind(rows, result, count, chunk);
        _bound = memory;
        return true;
    }

    /// <summary>Runs a chunk of the batch that is bound.</summary>
    public void Run(int part) => _runs[part].Run();

    public void Dispose()
    {
        foreach (var run in _runs) run.Dispose();
        _runs = [];
        _bound = default;
    }

    private bool CanBind(int count, int chunk) =>
        session.ReadsHostMemory && (count - 1) / chunk < MostRuns && (layout.FixedRows is not { } only || count % only == 0);

    private void Bind(float* rows, float* result, int count, int chunk)
    {
        Dispose();
        var runs = new List<BoundRun>();
        try
        {
            for (var first = 0; first < count; first += chunk)
            {
                var run = session.CreateBoundRun();
                runs.Add(run);
                var part = Math.Min(chunk, count - first);
                Tie(layout.Inputs, rows, first, part, (name, value, shape) => run.BindInput(name, value, shape));
                Tie(layout.Outputs, result, first, part, (name, value, shape) => run.BindOutput(name, value, shape));
            }

            _runs = [.. runs];
        }
        catch
        {
            foreach (var run in runs) run.Dispose();
            throw;
        }

        void Tie(IReadOnlyList<RowTensor> tensors, float* start, int first, int part, Action<string, OrtValue, long[]> bind)
        {
            foreach (var tensor in tensors)
            {
                var shape = layout.ShapeOf(tensor, part);
                var (data, bytes) = ((nint)(start + ((long)first * tensor.Count)), (long)part * tensor.Count * sizeof(float));
                var value = OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, TensorElementType.Float, shape, data, bytes);
                bind(tensor.Name, value, shape);
                start += (long)count * tensor.Count;
            }
        }
    }
}
