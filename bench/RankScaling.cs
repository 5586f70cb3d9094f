using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using MlNetBatchNorm.Cli;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Bench;

/// <summary>
/// Steps of one rank beside steps of all ranks that mpirun has started: 784-512-512-512-10, 256 rows a rank, one thread each. In turn,
/// round by round in the same processes; medians count. A model of the cost says what other networks between ranks would make of it.
/// </summary>
internal sealed class RankScaling() : Benchmark(
    "ranks", "Ranks: data-parallel training", "Time steps of one rank and of all; start it with mpirun -n N --bind-to core.")
{
    private const int Rows = 256, Outputs = 10;
    private static readonly int[] Sizes = [2, 4, 8, 16, 64];

    // What hosts are connected by, in bytes a second.
    private static readonly (string Name, double Bandwidth)[] Networks =
        [("1 Gbit/s", 1.25e8), ("10 Gbit/s", 1.25e9), ("100 Gbit/s", 1.25e10)];

    public override Task<int> RunAsync(ParseResult arguments, Report report, CancellationToken cancellation)
    {
        if (!Communicator.IsLaunched)
        {
            Report.Progress("ranks: nothing to measure without mpirun -n 2 or more");
            return Task.FromResult(ExitCode.Done);
        }

        using var ranks = Communicator.Mpi();
        var (rounds, steps) = arguments.GetValue(Quick) ? (2, 2) : (60, 6);
        var network = Network.FeedForward(784, [512, 512, 512], Outputs);
        using var alone = NewStep(network, null, sync: false);
        using var local = NewStep(network, ranks, sync: false);
        using var synchronized = NewStep(network, ranks, sync: true);
        var numbers = new float[network.ParameterCount];
        List<double> one = [], apart = [], all = [], together = [], sum = [];
        for (var round = 0; round < rounds; round++)
        {
            // The others wait without taking a core.
            ranks.Barrier();
            var took = 0.0;
            if (ranks.Rank == 0) took = Time(steps, () => alone.Run(Rows, 0.01f));
            else Thread.Sleep(TimeSpan.FromSeconds(round == 0 ? 0.5 : one[^1] * steps));
            one.Add(First(took));
            apart.Add(Slowest(Time(steps, () => alone.Run(Rows, 0.01f))));
            all.Add(Slowest(Time(steps, () => local.Run(Rows, 0.01f))));
            together.Add(Slowest(Time(steps, () => synchronized.Run(Rows, 0.01f))));
            sum.Add(Slowest(Time(steps, () => ranks.AllReduce(numbers))));
        }

        if (ranks.Rank > 0) return Task.FromResult(ExitCode.Done);
        report.Paragraph(
            $"784-512-512-512-10, {Rows} rows a rank, one thread each: milliseconds a step, and times the rows of one rank; "
            + $"medians of {rounds} rounds in turn.");
        report.Table(
            ["", "ms a step", "rows a second", "of one rank"],
            [
                Line("one rank", 1, one),
                Line($"{ranks.Size} ranks that do not speak: the machine's limit", ranks.Size, apart),
                Line($"{ranks.Size} ranks", ranks.Size, all),
                Line($"{ranks.Size} ranks, SyncStatistics", ranks.Size, together),
            ],
            texts: 1);
        var bytes = 4.0 * network.ParameterCount;
        report.Paragraph(string.Create(
            CultureInfo.InvariantCulture,
            $"The sum of {network.ParameterCount:N0} gradients by itself: {Median(sum) * 1e3:0.00} ms, "
                + $"{Moved(ranks.Size) * bytes / Median(sum) / 1e9:0.00} GB/s."));

        // A ring moves 2(n−1)/n of the bytes through each rank's link. What a step takes longer than by itself, in times of the sum by
        // itself, is what a step on other hosts is taken to pay in times of theirs.
        var shown = Math.Max(Median(all.Zip(apart, (spoken, silent) => spoken - silent)), 0) / Median(sum);
        report.Paragraph(string.Create(
            CultureInfo.InvariantCulture,
            $"A step with sums takes {shown:0.0} times the sum by itself longer than one without. Times the rows of one rank by the model "
                + $"n·t/(t + {shown:0.0}·2(n−1)/n·bytes/bandwidth), with the t of one rank and a host for each:"));
        report.Table(
            ["ranks", .. Networks.Select(link => link.Name)],
            Sizes.Select(size => (IReadOnlyList<string>)
            [
                $"{size}",
                .. Networks.Select(link => Modelled(size, link.Bandwidth).ToString("0.0", CultureInfo.InvariantCulture)),
            ]),
            texts: 0);
        return Task.FromResult(ExitCode.Done);

        double First(double mine) => ranks.Sum([ranks.Rank == 0 ? mine : 0])[0];

        double Slowest(double mine) => ranks.AllGather<double>([mine]).Max(part => part[0]);

        double Modelled(int size, double bandwidth) => size * Median(one) / (Median(one) + (shown * Moved(size) * bytes / bandwidth));

        double Moved(int size) => 2.0 * (size - 1) / size;

        IReadOnlyList<string> Line(string name, int size, List<double> seconds) =>
        [
            name,
            (Median(seconds) * 1e3).ToString("0.00", CultureInfo.InvariantCulture),
            (size * Rows / Median(seconds)).ToString("N0", CultureInfo.InvariantCulture),
            (size * Median(one.Zip(seconds, (alone, several) => alone / several))).ToString("0.00", CultureInfo.InvariantCulture),
        ];
    }

    private static double Time(int steps, Action step)
    {
        step();
        var watch = Stopwatch.StartNew();
        for (var i = 0; i < steps; i++) step();
        return watch.Elapsed.TotalSeconds / steps;
    }

    private static TrainingStep NewStep(Network network, Communicator? ranks, bool sync)
    {
        var step = new TrainingStep(
            network,
            Loss.SoftmaxCrossEntropy,
            Optimizer.Sgd(0.01f),
            RunningStatistics.PyTorch(),
            Rows,
            new Random(1),
            settings: new ExecutionOptions { Threads = 1 },
            ranks: ranks,
            syncStatistics: sync);
        var random = new Random(ranks?.Rank ?? 0);
        foreach (ref var value in step.Features.Span) value = random.NextSingle();
        for (var row = 0; row < Rows; row++) step.Targets.Span[(row * Outputs) + random.Next(Outputs)] = 1;
        return step;
    }
}
