using System.Diagnostics;

namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>All that one call at a time needs: buffers for a row, buffers for a batch once there is one, and the runs bound to them.</summary>
internal sealed class ScoringLane : IDisposable
{
    private readonly ScorerSessions _sessions;
    private readonly RowLayout _layout;
    private readonly BatchPlan _plan;
    private readonly ScoringBlock _single;
    private readonly BatchRuns _own;
    private BatchRuns? _other;

    public ScoringLane(ScorerSessions sessions, RowLayout layout, BatchPlan plan)
    {
        var session = sessions.Next();
        _sessions = sessions;
        _layout = layout;
        _plan = plan;
        _single = new ScoringBlock(session, layout, layout.FixedRows ?? 1);
        _own = new BatchRuns(session, layout, plan.Workers(own: true));
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
        if (_plan is not { Choice: { } choice, Pace: { } pace })
        {
            _own.Score(rows, count, result, _plan.Pace?.ChunkRows ?? _layout.BatchSize, sharing: 1, _plan.Pace);
            return;
        }

        var expected = pace.Predict(count);
        var way = choice.Next(count, expected);
        var runs = _plan.IsOwn(way) ? _own : _other ??= new BatchRuns(_sessions.Other, _layout, _plan.Workers(own: false));
        if (expected < BatchChoice.Short)
        {
            runs.Score(rows, count, result, _layout.BatchSize, sharing: 1, pace: null);
            return;
        }

        var start = Stopwatch.GetTimestamp();
        if (way == BatchWay.SharedOperators) runs.Score(rows, count, result, _layout.BatchSize, sharing: 1, pace: null);
        else runs.Score(rows, count, result, pace.ChunkRows, way == BatchWay.Divided ? BatchPlan.Sharing(expected) : 1, pace);
        choice.Report(count, way, Stopwatch.GetElapsedTime(start));
    }

    /// <summary>The buffers for so many rows.</summary>
    public ScoringBlock Block(int rows) => rows <= _single.Capacity ? _single : _own.Block(rows);

    public void Dispose()
    {
        _single.Dispose();
        _own.Dispose();
        _other?.Dispose();
    }
}
