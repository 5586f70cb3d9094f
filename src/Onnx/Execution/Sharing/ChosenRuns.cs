namespace MlNetBatchNorm.Onnx.Execution.Sharing;

/// <summary>
/// What runs some rows on a session of a lane's own, and, where a plan chooses so, on the other one. One thread at a time.
/// </summary>
/// <typeparam name="T">What runs them.</typeparam>
internal sealed class ChosenRuns<T> : IDisposable
    where T : class, IDisposable
{
    private readonly ModelSessions? _sessions;
    private readonly RunPlan _plan;
    private readonly Func<OnnxSession, int, T> _create;
    private readonly T _own;
    private T? _other;

    /// <param name="own">The lane's own session.</param>
    /// <param name="sessions">All sessions of the model; null = there is nothing to choose.</param>
    /// <param name="create">Makes what runs on a session, by so many threads at most.</param>
    public ChosenRuns(OnnxSession own, ModelSessions? sessions, Func<OnnxSession, int, T> create)
    {
        _sessions = sessions;
        _plan = sessions?.Plan ?? RunPlan.None;
        _create = create;
        _own = create(own, _plan.Workers(own: true));
    }

    /// <summary>How the call under way is to run.</summary>
    public RunDecision Decision { get; } = new();

    /// <summary>Decides how a call is to run, and on what. <see cref="Report"/> ends it.</summary>
    /// <inheritdoc cref="RunPlan.Decide"/>
    public T Choose(int rows, int most, bool canBeCut)
    {
        _plan.Decide(rows, most, canBeCut, Decision);
        return Decision.IsOwn ? _own : _other ??= _create(_sessions!.Other, _plan.Workers(own: false));
    }

    /// <summary>The call has run.</summary>
    public void Report() => _plan.Report(Decision);

    public void Dispose()
    {
        _own.Dispose();
        _other?.Dispose();
    }
}
