using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace MlNetBatchNorm.Trainer.Distribution;

/// <summary>
/// The C interface of an MPI library, found at run time. Two kinds of handles are in use: Open MPI's are addresses of objects that it
/// exports, those of MPICH and its kin (Intel MPI, MVAPICH, MS-MPI) are numbers that never change (the MPICH ABI).
/// </summary>
internal sealed unsafe partial class MpiLibrary
{
    /// <summary>Names a library file to use instead of those that are looked for.</summary>
    public const string Variable = "MLNETBN_MPI";

    private const int Serialized = 2;
    private const int LongestMessage = 1024;
    private const int MostInRing = 16;
    private static readonly string[] OpenMpi = ["libmpi.so.40", "libmpi.40.dylib", "libmpi.so.80"];
    private static readonly string[] Mpich = ["libmpich.so.12", "libmpi.so.12", "libmpi.12.dylib", "msmpi.dll"];

    private readonly nint _library;
    private readonly nint _world, _byte, _float, _sum, _inPlace, _ignoredStatus, _noRequest;
    private readonly delegate* unmanaged<nint, nint, int, nint, nint, nint, nint*, int> _startSum;
    private readonly delegate* unmanaged<nint*, int*, nint, int> _test;
    private readonly delegate* unmanaged<nint*, nint, int> _wait;
    private readonly delegate* unmanaged<nint, int, nint, nint, int, nint, nint, int> _gather;
    private readonly delegate* unmanaged<nint, int, nint, int, nint, int> _broadcast;

    private MpiLibrary(nint library)
    {
        _library = library;
        if (NativeLibrary.TryGetExport(library, "ompi_mpi_comm_world", out _world))
        {
            _byte = Export("ompi_mpi_byte");
            _float = Export("ompi_mpi_float");
            _sum = Export("ompi_mpi_op_sum");
            _noRequest = Export("ompi_request_null");
            (_inPlace, _ignoredStatus) = (1, 0);
            ErrorsReturn = Export("ompi_mpi_errors_return");
        }
        else
        {
            (_world, _byte, _float) = (0x44000000, 0x4c00010d, 0x4c00040a);
            (_sum, _noRequest) = (0x58000003, 0x2c000000);
            (_inPlace, _ignoredStatus) = (-1, 1);
            ErrorsReturn = 0x54000001;
        }

        _startSum = (delegate* unmanaged<nint, nint, int, nint, nint, nint, nint*, int>)Export("MPI_Iallreduce");
        _test = (delegate* unmanaged<nint*, int*, nint, int>)Export("MPI_Test");
        _wait = (delegate* unmanaged<nint*, nint, int>)Export("MPI_Wait");
        _gather = (delegate* unmanaged<nint, int, nint, nint, int, nint, nint, int>)Export("MPI_Allgather");
        _broadcast = (delegate* unmanaged<nint, int, nint, int, nint, int>)Export("MPI_Bcast");
    }

    /// <summary>The number of processes that were started together, as their environment says; 1 where it says nothing.</summary>
    public static int LaunchedSize => Number("OMPI_COMM_WORLD_SIZE") ?? Number("PMI_SIZE") ?? Number("MPI_LOCALNRANKS")
        ?? (Number("PMIX_RANK") is null && Number("PMI_RANK") is null ? null : Number("SLURM_NTASKS")) ?? 1;

    /// <summary>The number of them on this machine, as far as their environment says.</summary>
    public static int LocalSize =>
        Number("OMPI_COMM_WORLD_LOCAL_SIZE") ?? Number("MPI_LOCALNRANKS") ?? Number("SLURM_NTASKS_PER_NODE") ?? 1;

    private nint ErrorsReturn { get; }

    /// <summary>Loads the library and starts MPI.</summary>
    public static MpiLibrary Start()
    {
        var library = new MpiLibrary(Load());
        int flag;
        library.Check(((delegate* unmanaged<int*, int>)library.Export("MPI_Finalized"))(&flag), "MPI_Finalized");
        if (flag != 0) throw new InvalidOperationException("MPI has ended in this process and cannot be started again.");
        library.Check(((delegate* unmanaged<int*, int>)library.Export("MPI_Initialized"))(&flag), "MPI_Initialized");
        if (flag == 0)
        {
            PreferRing();

            // Whichever thread trains calls it, one at a time.
            int provided;
            library.Check(
                ((delegate* unmanaged<nint, nint, int, int*, int>)library.Export("MPI_Init_thread"))(0, 0, Serialized, &provided),
                "MPI_Init_thread");
            if (provided < Serialized)
                throw new InvalidOperationException(
                    $"The MPI library gives thread level {provided} where {Serialized} (MPI_THREAD_SERIALIZED) is needed; take one that "
                    + "was built with threads.");
        }

        library.Check(
            ((delegate* unmanaged<nint, nint, int>)library.Export("MPI_Comm_set_errhandler"))(library._world, library.ErrorsReturn),
            "MPI_Comm_set_errhandler");
        return library;
    }

    public int Rank() => Ask("MPI_Comm_rank");

    public int Size() => Ask("MPI_Comm_size");

    public void Barrier() => Check(((delegate* unmanaged<nint, int>)Export("MPI_Barrier"))(_world), "MPI_Barrier");

    public void Abort(int code) => Check(((delegate* unmanaged<nint, int, int>)Export("MPI_Abort"))(_world, code), "MPI_Abort");

    public void Finish() => Check(((delegate* unmanaged<int>)Export("MPI_Finalize"))(), "MPI_Finalize");

    public void Broadcast(nint values, int bytes, int root) => Check(_broadcast(values, bytes, _byte, root, _world), "MPI_Bcast");

    public void Gather(nint values, int bytes, nint all) =>
        Check(_gather(values, bytes, _byte, all, bytes, _byte, _world), "MPI_Allgather");

    /// <summary>Starts to add up numbers in place.</summary>
    /// <returns>The request to <see cref="Wait"/> for.</returns>
    public nint StartSum(nint numbers, int count)
    {
        nint request = 0;
        Check(_startSum(_inPlace, numbers, count, _float, _sum, _world, &request), "MPI_Iallreduce");
        return request;
    }

    /// <summary>Goes on with a request.</summary>
    /// <returns>The request; the null request when it is done.</returns>
    public nint Test(nint request)
    {
        int isDone;
        Check(_test(&request, &isDone, _ignoredStatus), "MPI_Test");
        return isDone == 0 ? request : _noRequest;
    }

    public void Wait(nint request) => Check(_wait(&request, _ignoredStatus), "MPI_Wait");

    private static int? Number(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var number) ? number : null;

    // Open MPI 4 takes all numbers to one rank and back where sums stay in place or ranks are few, which moves more than a ring does. A
    // ring's messages are as many as its ranks, so for many of them what it chooses stays. What the user says counts.
    private static void PreferRing()
    {
        if (LaunchedSize > MostInRing || OperatingSystem.IsWindows()) return;
        _ = SetVariable("OMPI_MCA_coll_libnbc_iallreduce_algorithm", "1", replace: 0);
    }

    // .NET's own environment is a copy.
    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int replace);

    // Where several are installed, the one whose mpirun has started this process.
    private static nint Load()
    {
        var given = Environment.GetEnvironmentVariable(Variable);
        var isOpenMpi = Environment.GetEnvironmentVariable("OMPI_COMM_WORLD_SIZE") is not null;
        var isMpich = !isOpenMpi && Number("PMI_SIZE") is not null;
        string[] names = given is { Length: > 0 } ? [given] : isMpich ? [.. Mpich, .. OpenMpi] : [.. OpenMpi, .. Mpich];
        foreach (var name in names)
            if (NativeLibrary.TryLoad(name, out var library)) return library;
        throw new DllNotFoundException(
            $"There is no MPI library: looked for {string.Join(", ", names)}. Install Open MPI (Debian: openmpi-bin) or MPICH, on Windows "
            + $"MS-MPI, or name the file in {Variable}; without MPI, start the program by itself.");
    }

    private int Ask(string function)
    {
        int answer;
        Check(((delegate* unmanaged<nint, int*, int>)Export(function))(_world, &answer), function);
        return answer;
    }

    private nint Export(string name) => NativeLibrary.GetExport(_library, name);

    private void Check(int error, string function)
    {
        if (error == 0) return;
        var text = stackalloc byte[LongestMessage];
        int length;
        var isKnown = ((delegate* unmanaged<int, byte*, int*, int>)Export("MPI_Error_string"))(error, text, &length) == 0;
        throw new IOException(
            $"{function} failed: {(isKnown ? Encoding.UTF8.GetString(text, length) : $"error {error}")}. Another rank has ended, or the "
            + "network between them.");
    }
}
