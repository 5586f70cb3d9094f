using MlNetBatchNorm.Onnx.Execution.Sharing;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>All that one call at a time needs: buffers for a row, buffers for a batch once there is one, and the runs bound to them.</summary>
internal sealed class ScoringLane : IDisposable
{
    private readonly ModelSessions _sessions;
    private readonly RowLayout _layout;
    private readonly ScoringBlock _single;
    private readonly RunDecision _decision = new();
    private readonly BatchRuns _own;
    private BatchRuns? _other;
    private ScoringBlock? _inPlace;

    public ScoringLane(ModelSessions sessions, RowLayout layout)
    {
        var session = sessions.Next();
        _sessions = sessions;
        _layout = layout;
        _single = new ScoringBlock(layout, layout.CreateBlock(session, layout.FixedRows ?? 1));
        _own = new BatchRuns(session, layout, sessions.Plan.Workers(own: true));
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
        var plan = _sessions.Plan;
        plan.Decide(count, _layout.BatchSize, canBeCut: true, _decision);
        var runs = _decision.IsOwn ? _own : _other ??= new BatchRuns(_sessions.Other, _layout, plan.Workers(own: false));
        runs.Score(rows, count, result, _decision);
        plan.Report(_decision);
    }

    /// <summary>The buffers for so many rows.</summary>
    public ScoringBlock Block(int rows)
    {
        if (rows <= _single.Capacity) return _single;
        if (_inPlace is { } block && rows <= block.Capacity) return block;
        _inPlace?.Dispose();
        _inPlace = null;
        return _inPlace = new ScoringBlock(_layout, _layout.CreateBlock(_sessions, rows));
    }

    public void Dispose()
    {
        _single.Dispose();
        _own.Dispose();
        _other?.Dispose();
        _inPlace?.Dispose();
    }
}
