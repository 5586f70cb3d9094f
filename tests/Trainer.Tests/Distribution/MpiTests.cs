using System.Diagnostics;

namespace MlNetBatchNorm.Trainer.Tests.Distribution;

/// <summary>Processes that an MPI library really starts: Open MPI's and MPICH's, where they are installed.</summary>
public class MpiTests
{
    public static TheoryData<string, int> Launchers => new()
    {
        { "mpirun.openmpi", 2 }, { "mpirun.openmpi", 4 }, { "mpirun.mpich", 2 }, { "mpirun.mpich", 4 },
    };

    [MpiTheory]
    [MemberData(nameof(Launchers))]
    public void Mpi_EveryMethod_GivesAllRanksTheSame(string launcher, int size) => Require(0, Run(launcher, size, "exchange"));

    [MpiTheory]
    [InlineData("mpirun.openmpi", 4)]
    [InlineData("mpirun.mpich", 2)]
    public void Steps_OfProcesses_GivePyTorchsWholeBatch(string launcher, int size) => Require(0, Run(launcher, size, "fixtures"));

    [MpiTheory]
    [InlineData("mpirun.openmpi")]
    [InlineData("mpirun.mpich")]
    public void Rank_Killed_EndsTheOthersAtOnce(string launcher)
    {
        var (code, output, elapsed) = Run(launcher, 3, "end");
        Assert.NotEqual(0, code);
        Assert.True(elapsed < TimeSpan.FromSeconds(10), $"It took {elapsed}: {output}");
    }

    [MpiTheory]
    [InlineData("mpirun.openmpi")]
    public void Together_FailureOfOneRank_IsSaidByAll(string launcher)
    {
        var (code, output, _) = Run(launcher, 2, "fail");
        Assert.NotEqual(0, code);
        Assert.Contains("what rank 1 alone has found", output, StringComparison.Ordinal);
    }

    [Fact]
    public void LaunchedSize_OfAProcessByItself_IsOne() => Assert.False(Communicator.IsLaunched);

    private static void Require(int code, (int Code, string Output, TimeSpan Elapsed) run) =>
        Assert.True(run.Code == code, $"mpirun ended with {run.Code}: {run.Output}");

    private static (int Code, string Output, TimeSpan Elapsed) Run(string launcher, int size, string scenario)
    {
        var start = new ProcessStartInfo(launcher)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            Environment =
            {
                ["OMPI_ALLOW_RUN_AS_ROOT"] = "1", ["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1", ["TERM"] = "dumb",
                ["OMPI_MCA_rmaps_base_oversubscribe"] = "1", ["OMPI_MCA_mpi_yield_when_idle"] = "1", ["OMP_NUM_THREADS"] = "1",
            },
        };
        foreach (var argument in new[] { "-n", $"{size}", "dotnet", "exec", typeof(RankProgram).Assembly.Location, scenario })
            start.ArgumentList.Add(argument);
        var watch = Stopwatch.StartNew();
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        if (!process.WaitForExit(TimeSpan.FromSeconds(60))) process.Kill(entireProcessTree: true);
        process.WaitForExit();
        return (process.ExitCode, output.Result + errors.Result, watch.Elapsed);
    }
}

/// <summary>A theory whose first argument is a launcher of MPI: skipped where it is not installed.</summary>
internal sealed class MpiTheoryAttribute : TheoryAttribute
{
    public MpiTheoryAttribute()
    {
        if (!File.Exists("/usr/bin/mpirun.openmpi") || !File.Exists("/usr/bin/mpirun.mpich"))
            Skip = "needs Open MPI and MPICH: apt install openmpi-bin mpich";
    }
}
