using System.Runtime.ExceptionServices;

namespace MlNetBatchNorm.Onnx.Execution.Sharing;

/// <summary>
/// Work in parts that the caller's thread does together with threads of the pool, each taking the next part when it is free. Who comes too
/// late finds nothing left, so that the caller never waits for a thread that has not begun: a pool that is busy costs time, never an
/// answer. Allocates nothing. One caller at a time.
/// </summary>
internal abstract class DividedWork
{
    // So large that helpers which come late never count it up to an overflow.
    private const int NothingLeft = int.MaxValue / 2;

    private readonly Helper[] _helpers;
    private int _next = NothingLeft;
    private int _parts;
    private ExceptionDispatchInfo? _failure;

    /// <param name="workers">The most threads at once, the caller's among them.</param>
    protected DividedWork(int workers)
    {
        _helpers = new Helper[workers - 1];
        for (var i = 0; i < _helpers.Length; i++) _helpers[i] = new(this, i + 1);
    }

    /// <summary>Does one part.</summary>
    /// <param name="part">Its number, from 0.</param>
    /// <param name="worker">The number of the thread that does it; 0 is the caller's. No two threads have the same at a time.</param>
    protected abstract void Do(int part, int worker);

    /// <summary>Does all parts and returns when they are done.</summary>
    /// <param name="parts">Their number.</param>
    /// <param name="workers">The most threads this time.</param>
    /// <exception cref="Exception">What the first part that failed threw; parts that were not begun are then left out.</exception>
    protected void DoAll(int parts, int workers)
    {
        _failure = null;
        _parts = parts;
        Volatile.Write(ref _next, 0);
        for (var i = 0; i < Math.Min(Math.Min(parts, workers) - 1, _helpers.Length); i++) _helpers[i].Call();
        DoSome(0);
        Interlocked.Exchange(ref _next, NothingLeft);
        foreach (var helper in _helpers) helper.WaitUntilIdle();
        _failure?.Throw();
    }

    private void DoSome(int worker)
    {
        try
        {
            int part;
            while ((part = Interlocked.Increment(ref _next) - 1) < _parts) Do(part, worker);
        }
        catch (Exception exception)
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(exception), null);
            Interlocked.Exchange(ref _next, NothingLeft);
        }
    }

    private sealed class Helper(DividedWork work, int worker) : IThreadPoolWorkItem
    {
        private const int Idle = 0;
        private const int Called = 1;
        private const int Working = 2;

        private int _state;

        // One that was called before and has not come yet will find this work instead.
        public void Call()
        {
            if (Interlocked.CompareExchange(ref _state, Called, Idle) == Idle) ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }

        public void Execute()
        {
            Interlocked.Exchange(ref _state, Working);
            work.DoSome(worker);
            Volatile.Write(ref _state, Idle);
        }

        // It is on its last part, which takes about as long as the one that the caller has just done.
        public void WaitUntilIdle()
        {
            var spin = new SpinWait();
            while (Volatile.Read(ref _state) == Working) spin.SpinOnce(sleep1Threshold: -1);
        }
    }
}
