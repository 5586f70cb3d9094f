using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Text;
using MlNetBatchNorm.Trainer.Distribution;

namespace MlNetBatchNorm;

/// <summary>
/// The processes (ranks) that train one network together, each on rows of its own: <see cref="TrainingOptions.Communicator"/>. All of them
/// call the same methods in the same order; a method returns when it can, which may be before the others have called it.
/// </summary>
/// <remarks>
/// A rank that ends without <see cref="Dispose()"/> ends all of them: mpirun sees to that. So whoever catches an exception of one rank and
/// goes on calls <see cref="Abort"/>.
/// </remarks>
public abstract class Communicator : IDisposable
{
    private static readonly List<Communicator> Known = [];
    private static Communicator? _mpi;

    private protected Communicator()
    {
        lock (Known)
        {
            Known.Add(this);
            Key = Known.Count;
        }
    }

    /// <summary>The number of this process, from 0.</summary>
    public abstract int Rank { get; }

    /// <summary>The number of processes.</summary>
    public abstract int Size { get; }

    /// <summary>
    /// The processes that <c>mpirun</c>, <c>mpiexec</c> or <c>srun</c> started together; one alone where none of them did. The library is
    /// found at run time: Open MPI, MPICH and what shares its interface (Intel MPI, MVAPICH), on Windows MS-MPI. Asked for again, it is the
    /// same object.
    /// </summary>
    /// <exception cref="DllNotFoundException">There is no MPI library; the message says what was looked for.</exception>
    /// <exception cref="InvalidOperationException">MPI was ended before: it does not begin anew in one process.</exception>
    public static Communicator Mpi() => _mpi ??= MpiCommunicator.Start();

    /// <summary>Whether the environment says that this process is one of several that MPI has started.</summary>
    internal static bool IsLaunched => MpiLibrary.LaunchedSize > 1;

    /// <summary>How many ranks share the cores of this machine.</summary>
    internal virtual int RanksHere => 1;

    /// <summary>What it is called in the model of a training step, from 1.</summary>
    internal int Key { get; }

    /// <summary>Waits until all ranks are here.</summary>
    public abstract void Barrier();

    /// <summary>Gives every rank what one of them has.</summary>
    /// <param name="values">What that rank has; on the others, as long, where it goes.</param>
    /// <param name="root">That rank. Default: 0.</param>
    public unsafe void Broadcast(Span<byte> values, int root = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(root);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(root, Size);
        fixed (byte* numbers = values) Broadcast((nint)numbers, values.Length, root);
    }

    /// <summary>Adds up numbers over the ranks: element by element, in place, with the same bits on all of them.</summary>
    /// <param name="values">The numbers of this rank, as many as on the others; afterwards the sums.</param>
    public unsafe void AllReduce(Span<float> values)
    {
        fixed (float* numbers = values)
        {
            StartSum((nint)numbers, values.Length);
            FinishSums();
        }
    }

    /// <summary>Gives every rank what each of them has.</summary>
    /// <param name="values">What this rank has; lengths may differ.</param>
    /// <returns>What each has, by its rank.</returns>
    public byte[][] AllGather(ReadOnlySpan<byte> values)
    {
        var lengths = new long[Size];
        Gather([values.Length], lengths);
        var parts = Array.ConvertAll(lengths, length => new byte[length]);
        values.CopyTo(parts[Rank]);
        for (var rank = 0; rank < Size; rank++) Broadcast(parts[rank], rank);
        return parts;
    }

    /// <summary>Ends all ranks at once, this one too. Files that were being written stay as they are.</summary>
    /// <param name="exitCode">The exit code, from 1.</param>
    public abstract void Abort(int exitCode);

    /// <summary>Leaves MPI, when all ranks do; after that nothing here can be called.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>The one of a key.</summary>
    internal static Communicator Of(int key)
    {
        lock (Known) return Known[key - 1];
    }

    /// <summary>What <see cref="AllGather(ReadOnlySpan{byte})"/> gives, of other values than bytes.</summary>
    internal T[][] AllGather<T>(ReadOnlySpan<T> values)
        where T : unmanaged =>
        Array.ConvertAll(AllGather(MemoryMarshal.AsBytes(values)), part => MemoryMarshal.Cast<byte, T>(part).ToArray());

    /// <summary>The same for values that are as many on every rank.</summary>
    /// <param name="values">Those of this rank.</param>
    /// <param name="all">Those of all, one rank behind the other.</param>
    internal unsafe void Gather<T>(ReadOnlySpan<T> values, Span<T> all)
        where T : unmanaged
    {
        if (all.Length != values.Length * Size)
            throw new ArgumentException($"{Size} ranks with {values.Length} values each do not fill {all.Length}.", nameof(all));
        fixed (T* from = values)
        fixed (T* to = all) Gather((nint)from, values.Length * sizeof(T), (nint)to);
    }

    /// <summary>What follows from some numbers on every rank: the largest of them.</summary>
    internal long Largest(long value) => Numbers(value).Max();

    /// <summary>A number of each rank.</summary>
    internal long[] Numbers(long value)
    {
        var all = new long[Size];
        Gather([value], all);
        return all;
    }

    /// <summary>
    /// Does what concerns this rank alone and may fail: then all ranks fail, this one as it would by itself, the others with an
    /// <see cref="OtherRankException"/> that says which.
    /// </summary>
    internal void Together(Action act)
    {
        Exception? failure = null;
        try
        {
            act();
        }
        catch (Exception exception)
        {
            failure = exception;
        }

        var messages = AllGather(Encoding.UTF8.GetBytes(failure?.Message ?? string.Empty));
        if (failure is not null) ExceptionDispatchInfo.Throw(failure);
        var failed = Array.FindIndex(messages, message => message.Length > 0);
        if (failed >= 0) throw new OtherRankException(failed, Encoding.UTF8.GetString(messages[failed]));
    }

    /// <summary>The sums over the ranks, added up in their order, so that they are the same everywhere.</summary>
    internal double[] Sum(ReadOnlySpan<double> values)
    {
        var all = new double[values.Length * Size];
        Gather(values, all);
        var sums = new double[values.Length];
        for (var i = 0; i < all.Length; i++) sums[i % sums.Length] += all[i];
        return sums;
    }

    /// <summary>Starts to add up float32 numbers in place; they stay where they are until <see cref="FinishSums"/>.</summary>
    internal abstract void StartSum(nint numbers, long count);

    /// <summary>Gives sums that were started a chance to go on: MPI does little while nobody calls it.</summary>
    internal abstract void Progress();

    /// <summary>Waits for all sums that were started.</summary>
    internal abstract void FinishSums();

    private protected abstract void Broadcast(nint values, long bytes, int root);

    private protected abstract void Gather(nint values, int bytes, nint all);

    /// <summary>Leaves.</summary>
    private protected virtual void Dispose(bool disposing)
    {
    }
}

/// <summary>Another rank cannot go on, and so none can.</summary>
internal sealed class OtherRankException(int rank, string message) : IOException($"Rank {rank} failed: {message}");
