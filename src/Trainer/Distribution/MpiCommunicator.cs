namespace MlNetBatchNorm.Trainer.Distribution;

/// <summary>The ranks of an MPI library: its world, as it was started.</summary>
internal sealed class MpiCommunicator : Communicator
{
    // Counts are ints.
    private const long MostAtOnce = 1 << 30;

    private readonly MpiLibrary _library;
    private readonly List<nint> _requests = [];
    private bool _isOver;

    private MpiCommunicator(MpiLibrary library)
    {
        _library = library;
        (Rank, Size) = (library.Rank(), library.Size());
        AppDomain.CurrentDomain.ProcessExit += OnExit;
    }

    /// <inheritdoc/>
    public override int Rank { get; }

    /// <inheritdoc/>
    public override int Size { get; }

    /// <inheritdoc/>
    internal override int RanksHere => MpiLibrary.LocalSize;

    public static MpiCommunicator Start() => new(MpiLibrary.Start());

    /// <inheritdoc/>
    public override void Barrier() => Live().Barrier();

    /// <inheritdoc/>
    public override void Abort(int exitCode)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(exitCode, 1);
        Live().Abort(exitCode);
    }

    /// <inheritdoc/>
    internal override void StartSum(nint numbers, long count)
    {
        for (long first = 0; first < count; first += MostAtOnce)
            _requests.Add(Live().StartSum(numbers + (nint)(first * sizeof(float)), (int)Math.Min(MostAtOnce, count - first)));
    }

    /// <inheritdoc/>
    internal override void Progress()
    {
        // Those that are done are null requests, which cost nothing.
        for (var i = 0; i < _requests.Count; i++) _requests[i] = _library.Test(_requests[i]);
    }

    /// <inheritdoc/>
    internal override void FinishSums()
    {
        foreach (var request in _requests) _library.Wait(request);
        _requests.Clear();
    }

    private protected override void Broadcast(nint values, long bytes, int root)
    {
        for (long first = 0; first < bytes; first += MostAtOnce)
            Live().Broadcast(values + (nint)first, (int)Math.Min(MostAtOnce, bytes - first), root);
    }

    private protected override void Gather(nint values, int bytes, nint all) => Live().Gather(values, bytes, all);

    private protected override void Dispose(bool disposing)
    {
        AppDomain.CurrentDomain.ProcessExit -= OnExit;
        if (!_isOver) _library.Finish();
        _isOver = true;
        base.Dispose(disposing);
    }

    // A program that ends as it should is no failure, although it has not said that it is done with MPI. One that fails says so by its exit
    // code, and must not wait for the others here.
    private void OnExit(object? sender, EventArgs e)
    {
        if (Environment.ExitCode == 0) Dispose();
    }

    private MpiLibrary Live()
    {
        ObjectDisposedException.ThrowIf(_isOver, this);
        return _library;
    }
}
