using System.Diagnostics;
using System.Numerics;
using MlNetBatchNorm.Onnx.Execution.Sharing;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>The rows of a block, run in chunks where they lie, by one thread or by several.</summary>
/// <param name="capacity">The rows in the block: a power of two.</param>
/// <param name="workers">The most threads at once.</param>
/// <param name="bind">Makes a run of so many rows from a first one on.</param>
internal sealed class BlockDivision(int capacity, int workers, Func<int, int, BoundRun> bind) : DividedWork(workers), IDisposable
{
    private BoundRun?[] _runs = [];
    private int _chunk;
    private int _count;
    private RowPace? _pace;

    /// <summary>The rows of each chunk: a power of two, so that chunks fill the block. Each thread gets one, if there are rows enough.</summary>
    public static int ChunkRows(int count, RunDecision decision) => decision.Sharing == 1
        ? decision.Most
        : Math.Min(decision.Most, 1 << BitOperations.Log2((uint)Math.Max(count / decision.Sharing, 1)));

    /// <summary>Runs the first rows; those behind them, to the end of their chunk, must be there as well.</summary>
    public void Run(int count, int chunk, RunDecision decision)
    {
        if (chunk != _chunk)
        {
            Dispose();
            (_chunk, _runs) = (chunk, new BoundRun?[capacity / chunk]);
        }

        (_count, _pace) = (count, decision.Pace);
        DoAll((count + chunk - 1) / chunk, decision.Sharing);
    }

    public void Dispose()
    {
        foreach (var run in _runs) run?.Dispose();
        (_runs, _chunk) = ([], 0);
    }

    protected override void Do(int part, int worker)
    {
        var run = _runs[part] ??= bind(part * _chunk, _chunk);
        var start = Stopwatch.GetTimestamp();
        run.Run();
        _pace?.Report(Math.Min(_chunk, _count - (part * _chunk)), Stopwatch.GetElapsedTime(start));
    }
}
