namespace MlNetBatchNorm.Cli;

/// <summary>
/// The processes that mpirun started to do one command together. Rank 0 says and writes everything; the others are silent, but for what
/// goes wrong with them alone.
/// </summary>
internal static class Ranks
{
    // Whoever has failed says so, and ends all; the others wait for that. What fails on all of them is said by rank 0.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Courtesy = TimeSpan.FromMilliseconds(700);

    private static readonly string[] RankVariables = ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_PROCID"];

    private static Communicator? _all;
    private static TextWriter? _errors;

    /// <summary>Called first: silences all but rank 0, before MPI is there.</summary>
    public static void Silence()
    {
        if (!Communicator.IsLaunched) return;
        _errors = Console.Error;
        var rank = RankVariables.Select(Environment.GetEnvironmentVariable).FirstOrDefault(value => value is { Length: > 0 });
        if (rank is null or "0") return;
        Console.SetOut(TextWriter.Null);
        Console.SetError(TextWriter.Null);
    }

    /// <summary>Meets the others; null where there are none.</summary>
    public static Communicator? Meet()
    {
        if (!Communicator.IsLaunched) return null;
        _all = Communicator.Mpi();
        return _all.Size > 1 ? _all : null;
    }

    /// <summary>Says what went wrong, with the number of the rank, and ends all of them.</summary>
    /// <returns>Whether there are any others.</returns>
    public static bool Fail(string message, int code, bool isOfAnother)
    {
        if (_all is not { Size: > 1 }) return false;
        if (isOfAnother) Thread.Sleep(Patience);
        else if (_all.Rank > 0) Thread.Sleep(Courtesy);
        if (!isOfAnother) _errors?.WriteLine($"mlnetbn: rank {_all.Rank}: {message}");
        _errors?.Flush();
        _all.Abort(code);
        return true;
    }
}
