using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli.Reproduction;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Trainer;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary><c>mlnetbn bench</c>: how fast the machine at hand is.</summary>
internal static class BenchCommand
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private static readonly (string Name, Network Network, int Batch)[] Networks =
    [
        ("20-64-32-2 relu", Network.FeedForward(20, [64, 32], 2), 128),
        ("784-100-100-100-10 sigmoid", Network.FeedForward(784, [100, 100, 100], 10, Activation.Sigmoid), 60),
        ("784-512-512-512-10 relu", Network.FeedForward(784, [512, 512, 512], 10), 256),
        ("1x28x28 residual relu", MnistRecipe.Network, 128),
    ];

    public static Command Create()
    {
        var json = new Option<string?>("--json") { Description = "also write the numbers to a file", HelpName = "FILE" };
        var device = CommonOptions.Device(Device.Cpu);
        var train = new Command("train", "Time a training step (batch normalization, plain SGD) of four networks.") { json, device };
        train.SetAction((arguments, cancellation) =>
        {
            var rows = new JsonArray();
            Console.WriteLine($"{"network",-28} {"batch",5} {"threads",7} {"µs/step",9} {"bytes/step",10}");
            foreach (var network in Networks)
            {
                cancellation.ThrowIfCancellationRequested();
                foreach (var threads in Enumerable.Range(1, Math.Min(Environment.ProcessorCount, 2))) rows.Add(Measure(network, threads, arguments.GetValue(device)!));
            }

            if (arguments.GetValue(json) is { } path)
                AtomicFile.WriteText(path, new JsonObject { ["train"] = rows }.ToJsonString(Indented) + "\n");
            return Task.FromResult(ExitCode.Done);
        });
        return new Command("bench", "Measure speed on this machine.") { train, BenchScoreCommand.Create(), BenchSoakCommand.Create() };
    }

    // The best of many short rounds: what the code can do when nothing else wants the machine.
    private static JsonObject Measure((string Name, Network Network, int Batch) of, int threads, Device device)
    {
        var (name, network, batch) = of;
        var outputs = (int)network.OutputShape.Count;
        var random = new Random(1);
        using var step = new TrainingStep(
            network,
            Loss.SoftmaxCrossEntropy,
            Optimizer.Sgd(),
            RunningStatistics.PyTorch(),
            batch,
            random,
            settings: new SessionSettings { Threads = threads, Device = device });
        foreach (ref var value in step.Features.Span) value = (random.NextSingle() - 0.5f) * 3;
        for (var row = 0; row < batch; row++) step.Targets.Span[(row * outputs) + random.Next(outputs)] = 1;

        var watch = Stopwatch.StartNew();
        for (var i = 0; i < 30; i++) step.Run(batch, 0.01f);
        var perRound = Math.Max(1, (int)(30 * 50 / watch.Elapsed.TotalMilliseconds));
        var best = double.PositiveInfinity;
        var before = GC.GetAllocatedBytesForCurrentThread();
        long steps = 0;
        for (var round = 0; round < 30; round++)
        {
            var start = Stopwatch.GetTimestamp();
            for (var i = 0; i < perRound; i++) step.Run(batch, 0.01f);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalMicroseconds / perRound);
            steps += perRound;
        }

        var allocated = (GC.GetAllocatedBytesForCurrentThread() - before) / (double)steps;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-28} {batch,5} {threads,7} {best,9:0.0} {allocated,10:0}"));
        return new JsonObject
        {
            ["network"] = name,
            ["batch"] = batch,
            ["threads"] = threads,
            ["microsecondsPerStep"] = best,
            ["allocatedBytesPerStep"] = allocated,
        };
    }
}
