namespace MlNetBatchNorm.Trainer.Tests.Distribution;

/// <summary>Ranks that are threads of one process: what does not depend on MPI itself is tested with these, everywhere.</summary>
internal sealed class Threads : Communicator
{
    private readonly Meeting _meeting;
    private readonly List<(nint Numbers, int Count)> _sums = [];

    private Threads(int rank, Meeting meeting) => (Rank, _meeting) = (rank, meeting);

    /// <summary>What was asked for, in order: <c>sum 100</c> (numbers) or <c>gather 8</c> (bytes).</summary>
    public List<string> Log { get; } = [];

    public override int Rank { get; }

    public override int Size => _meeting.Size;

    /// <summary>Runs a program on so many ranks, and throws what one of them throws.</summary>
    public static void Run(int size, Action<Communicator> program)
    {
        using var meeting = new Meeting(size);
        var failures = new List<Exception>();
        var threads = Enumerable.Range(0, size).Select(rank => new Thread(() =>
        {
            try
            {
                program(new Threads(rank, meeting));
            }
            catch (Exception exception)
            {
                lock (failures) failures.Add(exception);
                meeting.Leave();
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());

        // The others fail because the first has left.
        if (failures.Count > 0) throw failures.FirstOrDefault(failure => failure is not OperationCanceledException) ?? failures[0];
    }

    public override void Barrier() => _meeting.Exchange(Rank, []);

    public override void Abort(int exitCode) => _meeting.Leave();

    internal override unsafe void StartSum(nint numbers, long count)
    {
        Log.Add($"sum {count}");
        _sums.Add((numbers, (int)count));
    }

    internal override void Progress()
    {
    }

    internal override unsafe void FinishSums()
    {
        foreach (var (numbers, count) in _sums)
        {
            var values = new Span<float>((float*)numbers, count);
            var all = AllGather<float>(values);
            values.Clear();
            foreach (var part in all)
                for (var i = 0; i < count; i++) values[i] += part[i];
        }

        _sums.Clear();
    }

    private protected override unsafe void Broadcast(nint values, long bytes, int root)
    {
        var span = new Span<byte>((byte*)values, (int)bytes);
        _meeting.Exchange(Rank, span.ToArray())[root].CopyTo(span);
    }

    private protected override unsafe void Gather(nint values, int bytes, nint all)
    {
        Log.Add($"gather {bytes}");
        var parts = _meeting.Exchange(Rank, new ReadOnlySpan<byte>((byte*)values, bytes).ToArray());
        for (var rank = 0; rank < Size; rank++) parts[rank].CopyTo(new Span<byte>((byte*)all + (rank * bytes), bytes));
    }

    private sealed class Meeting(int size) : IDisposable
    {
        private readonly Barrier _barrier = new(size);
        private readonly CancellationTokenSource _left = new();
        private readonly byte[][] _brought = new byte[size][];

        public int Size => size;

        public byte[][] Exchange(int rank, byte[] values)
        {
            _brought[rank] = values;
            _barrier.SignalAndWait(_left.Token);
            byte[][] all = [.. _brought];
            _barrier.SignalAndWait(_left.Token);
            return all;
        }

        public void Leave() => _left.Cancel();

        public void Dispose()
        {
            _barrier.Dispose();
            _left.Dispose();
        }
    }
}
