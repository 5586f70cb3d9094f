using MlNetBatchNorm.Trainer.Tests.Fixtures;

namespace MlNetBatchNorm.Trainer.Tests.Distribution;

/// <summary>
/// Steps that several ranks make together, each on its part of a mini-batch, against PyTorch: with synchronized statistics they are the
/// steps of one process with the whole mini-batch, which is what PyTorch's SyncBatchNorm is defined by.
/// </summary>
public class RankedStepTests
{
    public static TheoryData<string, int> VectorCases
    {
        get
        {
            var cases = new TheoryData<string, int>();
            foreach (var name in PyTorchCase.Names)
            {
                cases.Add(name, 2);

                // Two rows of an image do not make four ranks.
                if (PyTorchCase.Read(name).Shape.Length == 1) cases.Add(name, 4);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(VectorCases))]
    public void Run_HundredStepsWithSynchronizedStatistics_GivesPyTorchsWholeBatch(string name, int size)
    {
        var expected = PyTorchCase.Read(name);
        var states = new Dictionary<string, float[]>[size];
        Threads.Run(size, ranks =>
        {
            using var step = expected.CreateStep(ranks: ranks, syncStatistics: true);
            expected.Run(step, 1, ranks);
            Require(expected.After1, 1e-5, step);
            expected.Run(step, 99, ranks);
            Require(expected.After100, expected.Optimizer == "sgd" ? 1e-5 : 1e-3, step);
            states[ranks.Rank] = step.State();
        });

        for (var rank = 1; rank < size; rank++)
            foreach (var (vector, values) in states[0]) Assert.Equal(values, states[rank][vector]);
    }

    public static TheoryData<string> CasesOfRanks => [.. PyTorchCase.NamesOfRanks];

    [Theory]
    [MemberData(nameof(CasesOfRanks))]
    public void Run_HundredStepsWithStatisticsOfEachRank_GivesDistributedDataParallel(string name)
    {
        var expected = PyTorchCase.Read(name);
        Threads.Run(expected.Ranks, ranks =>
        {
            using var step = expected.CreateStep(ranks: ranks);
            expected.Run(step, 1, ranks);
            Require(Trained(expected.After1), 1e-5, step);
            expected.Run(step, 99, ranks);
            Require(Trained(expected.After100), 1e-3, step);
            step.JoinStatistics(1);
            Require(expected.After100, 1e-3, step);
            step.RequireSameOnAllRanks();
        });

        static Dictionary<string, double[]> Trained(Dictionary<string, double[]> all) =>
            all.Where(entry => !entry.Key.EndsWith(".mean", StringComparison.Ordinal)
                && !entry.Key.EndsWith(".variance", StringComparison.Ordinal)).ToDictionary();
    }

    [Fact]
    public void Run_GradientsOfTheLastLayers_SetOutBeforeThoseOfTheFirstAreKnown() => Threads.Run(2, ranks =>
    {
        var network = Network.FeedForward(700, [600, 500, 400], 3);
        using var step = new Trainer.Training.TrainingStep(
            network, Loss.SoftmaxCrossEntropy, Optimizer.Sgd(), RunningStatistics.PyTorch(), 8, new Random(1), ranks: ranks,
            syncStatistics: true);
        step.Run(8, 0.1f);

        // Forward, then back: what each batch normalization gathers, and the sums of the weights behind it; scales and shifts are last.
        string[] expected =
        [
            "gather 7204", "gather 6004", "gather 4804", "gather 3204", "sum 201200", "gather 4004", "sum 300000", "gather 4804",
            "sum 420000", "sum 3003",
        ];
        Assert.Equal(expected, ((Threads)ranks).Log.Take(expected.Length));
    });

    [Fact]
    public void RequireSameOnAllRanks_AnotherBitOnOne_SaysWhich()
    {
        var expected = PyTorchCase.Read("two-ranks-softmax-sgd");
        var thrown = Assert.Throws<InvalidOperationException>(() => Threads.Run(2, ranks =>
        {
            using var step = expected.CreateStep(ranks: ranks);
            ref var weight = ref step.Parameter("dense1.weight")[0];
            if (ranks.Rank == 1) weight = MathF.BitIncrement(weight);
            step.RequireSameOnAllRanks();
        }));

        Assert.Contains("Rank 1 has other parameters than rank 0", thrown.Message, StringComparison.Ordinal);
    }

    private static void Require(Dictionary<string, double[]> parameters, double tolerance, Trainer.Training.TrainingStep step)
    {
        foreach (var (parameter, values) in parameters)
            Closeness.Require(values, step.Parameter(parameter), tolerance, $"{parameter} after {step.Steps} steps");
    }
}
