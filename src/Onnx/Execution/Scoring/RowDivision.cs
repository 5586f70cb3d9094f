using System.Diagnostics;
using MlNetBatchNorm.Onnx.Execution.Sharing;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>The rows of one call, cut into chunks that the caller's thread runs alone or together with others.</summary>
/// <param name="workers">The most threads at once.</param>
internal abstract class RowDivision(int workers) : DividedWork(workers)
{
    private int _count;
    private int _chunk;
    private RowPace? _pace;

    /// <summary>Runs rows.</summary>
    /// <param name="count">Their number.</param>
    /// <param name="chunk">The rows of each chunk; the last one may have fewer.</param>
    /// <param name="decision">How.</param>
    protected void RunAll(int count, int chunk, RunDecision decision)
    {
        (_count, _chunk, _pace) = (count, chunk, decision.Pace);
        var parts = (count + chunk - 1) / chunk;
        if (decision.Sharing > 1) DoAll(parts, decision.Sharing);
        else
            for (var part = 0; part < parts; part++) Do(part, 0);
    }

    /// <summary>Runs a chunk.</summary>
    /// <param name="part">Its number, from 0.</param>
    /// <param name="rows">Its rows.</param>
    /// <param name="worker">The number of the thread that does it; 0 is the caller's.</param>
    protected abstract void RunPart(int part, int rows, int worker);

    /// <inheritdoc/>
    protected sealed override void Do(int part, int worker)
    {
        var rows = Math.Min(_chunk, _count - (part * _chunk));
        var start = _pace is null ? 0 : Stopwatch.GetTimestamp();
        RunPart(part, rows, worker);
        _pace?.Report(rows, Stopwatch.GetElapsedTime(start));
    }
}
