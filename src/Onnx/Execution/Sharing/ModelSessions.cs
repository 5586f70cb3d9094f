using MlNetBatchNorm.Onnx.Execution.Sessions;

namespace MlNetBatchNorm.Onnx.Execution.Sharing;

/// <summary>
/// The sessions of one model. Runs of one session meet at its locks and counters: for a network whose run takes a few microseconds, two
/// threads on one session get no more done than one. So a small model is loaded again for the lanes of other threads, as they appear.
/// </summary>
/// <param name="first">The session that is there.</param>
/// <param name="plan">How the cores share its runs.</param>
/// <param name="openAnother">Loads the model once more, for another lane; null where one session is all.</param>
/// <param name="most">The most sessions for lanes.</param>
/// <param name="openOther">
/// Loads the model for runs that go the other way: with operators that all cores share where a lane's run on one thread, and the reverse.
/// Null where there is no other way.
/// </param>
internal sealed class ModelSessions(
    OnnxSession first, RunPlan plan, Func<OnnxSession>? openAnother, int most, Func<OnnxSession>? openOther) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<OnnxSession> _all = [first];
    private OnnxSession? _other;
    private int _lanes;
    private bool _disposed;

    /// <summary>The session that was there at first.</summary>
    public OnnxSession First => first;

    /// <summary>How the cores share runs.</summary>
    public RunPlan Plan => plan;

    /// <summary>The session for runs that go the other way, loaded when first needed.</summary>
    public OnnxSession Other
    {
        get
        {
            lock (_gate)
            {
                ObjectDisposedException.ThrowIf(_disposed, typeof(OnnxSession));
                return _other ??= openOther!();
            }
        }
    }

    /// <summary>A model's sessions.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">How it is run, whatever the threads.</param>
    /// <param name="threads">The threads that share an operator of the first session; 0 = all cores.</param>
    /// <param name="free">Whether batches may run otherwise.</param>
    /// <param name="most">The most sessions for lanes; null = as many as pay.</param>
    /// <param name="pace">Learns how long rows take on one thread.</param>
    /// <param name="isReproducible">Whether batches are divided by their rows alone, rather than by what was measured.</param>
    public static ModelSessions Open(
        ReloadableModel model, ExecutionOptions options, int threads, bool free, int? most, RowPace pace, bool isReproducible = false)
    {
        var first = Open(threads);
        var onCpu = first.Device.Kind == DeviceKind.Cpu;
        var plan = isReproducible && onCpu ? RunPlan.Fixed(threads) : RunPlan.For(threads, onCpu, free, model.MayBeTwice, pace);
        var lanes = most ?? (onCpu && threads == 1 ? model.SessionsThatPay : 1);

        // What is not loaded again need not be kept.
        return new(
            first,
            plan,
            lanes > 1 ? () => Open(threads) : null,
            lanes,
            plan.Choice is not null ? () => Open(threads == 1 ? ExecutionOptions.AllCores : 1) : null);

        OnnxSession Open(int count) => model.Open(options with { Threads = count });
    }

    /// <summary>The session for one more lane.</summary>
    public OnnxSession Next()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, typeof(OnnxSession));
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
            _other?.Dispose();
        }
    }
}
