using System.Diagnostics;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>All that one call at a time needs: buffers for a row, buffers for a batch once there is one, and the runs bound to them.</summary>
internal sealed class ScoringLane : IDisposable
{
    private readonly ScorerSessions _sessions;
    private readonly RowLayout _layout;
    private readonly ScoringBlock _single;
    private readonly BatchRuns _batch;
    private BatchRuns? _allCores;

    public ScoringLane(ScorerSessions sessions, RowLayout layout)
    {
        var session = sessions.Next();
        _sessions = sessions;
        _layout = layout;
        _single = new ScoringBlock(session, layout, layout.FixedRows ?? 1);
        _batch = new BatchRuns(session, layout);
    }

    /// <summary>Counts the lane's users, so that one who has given it back is known as such.</summary>
    public int Lease { get; set; }

    public void Score(ReadOnlySpan<float> row, Span<float> result)
    {
        _single.Fill(row, 1, 0, 1);
        _single.Run(1);
        _single.Take(result, 1, 0, 1);
    }

    public void ScoreBatch(ReadOnlySpan<float> rows, int count, Span<float> result)
    {
        if (_sessions.BatchChoice is not { } choice)
        {
            _batch.Score(rows, count, result);
            return;
        }

        var allCores = choice.PrefersAllCores(count);
        var runs = allCores ? _allCores ??= new BatchRuns(_sessions.AllCores, _layout) : _batch;
        var start = Stopwatch.GetTimestamp();
        runs.Score(rows, count, result);
        choice.Report(count, allCores, Stopwatch.GetElapsedTime(start));
    }

    /// <summary>The buffers for so many rows.</summary>
    public ScoringBlock Block(int rows) => rows <= _single.Capacity ? _single : _batch.Block(rows);

    public void Dispose()
    {
        _single.Dispose();
        _batch.Dispose();
        _allCores?.Dispose();
    }
}
