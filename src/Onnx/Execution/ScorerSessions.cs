namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>
/// The sessions of one scorer. Runs of one session meet at its locks and counters: for a network whose run takes a few microseconds, two
/// threads on one session get no more done than one. So a small model is loaded again for the lanes of other threads, as they appear.
/// </summary>
/// <param name="first">The session that is there.</param>
/// <param name="openAnother">Loads the model once more, for another lane.</param>
/// <param name="most">The most sessions for lanes.</param>
/// <param name="openOther">
/// Loads the model for batches that run in the other way: with operators that all cores share where a lane's run on one thread, and the reverse.
/// </param>
internal sealed class ScorerSessions(OnnxSession first, Func<OnnxSession> openAnother, int most, Func<OnnxSession> openOther) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<OnnxSession> _all = [first];
    private OnnxSession? _other;
    private int _lanes;
    private bool _disposed;

    /// <summary>The session for batches that run in the other way, loaded when first needed.</summary>
    public OnnxSession Other
    {
        get
        {
            lock (_gate)
            {
                ObjectDisposedException.ThrowIf(_disposed, typeof(Scorer));
                return _other ??= openOther();
            }
        }
    }

    /// <summary>The session for one more lane.</summary>
    public OnnxSession Next()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, typeof(Scorer));
            var index = _lanes % most;
            if (index == _all.Count) _all.Add(openAnother());
            _lanes++;
            return _all[index];
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            foreach (var session in _all) session.Dispose();
            _other?.Dispose();
        }
    }
}
