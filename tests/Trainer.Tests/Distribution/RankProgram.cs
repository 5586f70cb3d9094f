using System.Diagnostics;
using MlNetBatchNorm.Trainer.Tests.Fixtures;

namespace MlNetBatchNorm.Trainer.Tests.Distribution;

/// <summary>What mpirun starts, several times: this very assembly with the name of a scenario.</summary>
internal static class RankProgram
{
    private static readonly Dictionary<string, Action<Communicator>> Scenarios = new()
    {
        ["exchange"] = Exchange,
        ["fixtures"] = RunFixtures,
        ["end"] = End,
        ["fail"] = Fail,
    };

    public static int Main(string[] args)
    {
        using var ranks = Communicator.Mpi();
        try
        {
            Scenarios[args[0]](ranks);
            return 0;
        }
        catch (Exception exception)
        {
            Console.Error.WriteLine($"rank {ranks.Rank}: {exception}");
            ranks.Abort(3);
            return 3;
        }
    }

    private static void Exchange(Communicator ranks)
    {
        Assert.Same(ranks, Communicator.Mpi());

        // Longer than what goes in one piece, and shorter.
        foreach (var count in new[] { 1, 1000, 300_000 })
        {
            var numbers = new float[count];
            for (var i = 0; i < count; i++) numbers[i] = (i % 7) + ranks.Rank;
            ranks.AllReduce(numbers);
            for (var i = 0; i < count; i++)
                Assert.Equal(((i % 7) * ranks.Size) + (ranks.Size * (ranks.Size - 1) / 2), numbers[i]);
        }

        var parts = ranks.AllGather([.. Enumerable.Repeat((byte)ranks.Rank, ranks.Rank * 3)]);
        Assert.Equal(ranks.Size, parts.Length);
        for (var rank = 0; rank < ranks.Size; rank++)
        {
            Assert.Equal(rank * 3, parts[rank].Length);
            Assert.All(parts[rank], value => Assert.Equal(rank, value));
        }

        var shared = new byte[5];
        if (ranks.Rank == ranks.Size - 1) shared = [1, 2, 3, 4, 5];
        ranks.Broadcast(shared, ranks.Size - 1);
        Assert.Equal([1, 2, 3, 4, 5], shared);
        ranks.Barrier();
        Assert.Equal(ranks.Size, ranks.Numbers(ranks.Rank).Distinct().Count());
        Assert.Equal([ranks.Size * (ranks.Size - 1) / 2.0], ranks.Sum([ranks.Rank]));
        ranks.AllReduce([]);
    }

    private static void RunFixtures(Communicator ranks)
    {
        foreach (var name in new[] { "relu-softmax-sgd" })
        {
            var expected = PyTorchCase.Read(name);
            using var step = expected.CreateStep(ranks: ranks, syncStatistics: true);
            expected.Run(step, 100, ranks);
            foreach (var (parameter, values) in expected.After100)
                Closeness.Require(values, step.Parameter(parameter), expected.Optimizer == "sgd" ? 1e-5 : 1e-3, $"{name}: {parameter}");
            step.RequireSameOnAllRanks();
        }
    }

    // Rank 1 is killed while the others wait for it.
    private static void End(Communicator ranks)
    {
        ranks.Barrier();
        if (ranks.Rank == 1) Process.GetCurrentProcess().Kill();
        ranks.Barrier();
    }

    private static void Fail(Communicator ranks) => ranks.Together(() =>
    {
        if (ranks.Rank == 1) throw new InvalidDataException("what rank 1 alone has found");
    });
}
