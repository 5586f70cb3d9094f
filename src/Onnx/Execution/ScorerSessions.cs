namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>
/// The sessions of one scorer. Runs of one session meet at its locks and counters: for a network whose run takes a few microseconds, two
/// threads on one session get no more done than one. So a small model is loaded again for the lanes of other threads, as they appear.
/// </summary>
/// <param name="first">The session that is there.</param>
/// <param name="openAnother">Loads the model once more; null where one session is all.</param>
/// <param name="most">The most sessions.</param>
/// <param name="openAllCores">Loads the model for batches that all cores share; null where they run as single rows do.</param>
internal sealed class ScorerSessions(OnnxSession first, Func<OnnxSession>? openAnother, int most, Func<OnnxSession>? openAllCores) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<OnnxSession> _all = [first];
    private OnnxSession? _allCores;
    private int _lanes;
    private bool _disposed;

    /// <summary>What batches learn about the cores; null where there is nothing to choose.</summary>
    public BatchThreadChoice? BatchChoice { get; } = openAllCores is null ? null : new();

    /// <summary>The session whose operators all cores share, loaded when first needed.</summary>
    public OnnxSession AllCores
    {
        get
        {
            lock (_gate)
            {
                ObjectDisposedException.ThrowIf(_disposed, typeof(Scorer));
                return _allCores ??= openAllCores!();
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
            if (index == _all.Count) _all.Add(openAnother!());
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
            _allCores?.Dispose();
        }
    }
}
