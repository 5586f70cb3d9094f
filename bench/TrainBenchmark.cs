using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli;
using MlNetBatchNorm.Cli.Commands;
using MlNetBatchNorm.Cli.Reproduction;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Bench;

/// <summary>A training step of five networks, beside PyTorch and TorchSharp.</summary>
internal sealed class TrainBenchmark : Benchmark
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private static readonly (string Name, Network Network, int Batch)[] Networks =
    [
        ("20-64-32-2 relu", Network.FeedForward(20, [64, 32], 2), 128),
        ("784-100-100-100-10 sigmoid", Network.FeedForward(784, [100, 100, 100], 10, Activation.Sigmoid), 60),
        ("784-512-512-512-10 relu", Network.FeedForward(784, [512, 512, 512], 10), 256),
        ("1x28x28 residual relu", MnistRecipe.Network, 128),
        ("1x28x28 strided relu", Strided, 64),
    ];

    private static Network Strided => Network.Input(1, 28, 28)
        .Conv2d(16, kernel: 3, new ConvolutionOptions { Stride = 2 }).BatchNorm().Relu()
        .Conv2d(32, kernel: 3, new ConvolutionOptions { Stride = 2 }).BatchNorm().Relu()
        .Flatten().Dense(10);

    private readonly Option<string[]> _peers = PeerTimes.Option();
    private readonly Option<string?> _json = new("--json") { Description = "also write the figures to a file", HelpName = "FILE" };
    private readonly Option<Device> _device = CommonOptions.Device(Device.Cpu);
    private readonly Option<double?> _seconds = new("--seconds") { Description = "how long each network is timed [default: 1.5]" };

    public TrainBenchmark()
        : base("train", "Training steps", "Time a training step (batch norms, plain SGD) of five networks, beside PyTorch and TorchSharp.")
    {
        _seconds.RequireRange(0.001, 1000);
        foreach (var option in new Option[] { _seconds, _device, _peers, _json }) Add(option);
    }

    public override async Task<int> RunAsync(ParseResult arguments, Report report, CancellationToken cancellation)
    {
        var quick = arguments.GetValue(Quick);
        var (rounds, seconds) = (quick ? 3 : 30, arguments.GetValue(_seconds) ?? (quick ? 0.02 : 1.5));
        var peers = await PeerTimes.MeasureAsync(arguments.GetValue(_peers)!, "train", seconds, null, cancellation);
        var figures = new JsonArray();
        foreach (var network in Networks)
        {
            Report.Progress($"train {network.Name}");
            foreach (var threads in Enumerable.Range(1, Math.Min(Environment.ProcessorCount, 2)))
            {
                cancellation.ThrowIfCancellationRequested();
                figures.Add(Measure(network, threads, arguments.GetValue(_device)!, rounds, TimeSpan.FromSeconds(seconds / rounds)));
            }
        }

        Show(report, figures, peers);
        if (arguments.GetValue(_json) is { } path)
        {
            var theirs = new JsonArray([.. PeerTimes.All.Zip(peers).SelectMany(peer => Networks.Select(network => (JsonNode)new JsonObject
            {
                ["peer"] = peer.First,
                ["network"] = network.Name,
                ["microsecondsPerStep"] = peer.Second[network.Name],
            }))]);
            AtomicFile.WriteText(path, new JsonObject { ["train"] = figures, ["peers"] = theirs }.ToJsonString(Indented) + "\n");
        }

        return ExitCode.Done;
    }

    // The best of many short rounds: what the code can do when nothing else wants the machine.
    private static JsonObject Measure((string Name, Network Network, int Batch) of, int threads, Device device, int rounds, TimeSpan each)
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
            settings: new ExecutionOptions { Threads = threads, Device = device });
        foreach (ref var value in step.Features.Span) value = (random.NextSingle() - 0.5f) * 3;
        for (var row = 0; row < batch; row++) step.Targets.Span[(row * outputs) + random.Next(outputs)] = 1;

        // First until what is called often has been compiled for speed, which takes a while of its own.
        var start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < rounds * each) step.Run(batch, 0.01f);
        var watch = Stopwatch.StartNew();
        for (var i = 0; i < rounds; i++) step.Run(batch, 0.01f);
        var perRound = Math.Max(1, (int)(rounds * each / watch.Elapsed));
        var best = double.PositiveInfinity;
        var before = GC.GetAllocatedBytesForCurrentThread();
        long steps = 0;
        for (var round = 0; round < rounds; round++)
        {
            start = Stopwatch.GetTimestamp();
            for (var i = 0; i < perRound; i++) step.Run(batch, 0.01f);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalMicroseconds / perRound);
            steps += perRound;
        }

        return new JsonObject
        {
            ["network"] = name,
            ["batch"] = batch,
            ["threads"] = threads,
            ["microsecondsPerStep"] = best,
            ["allocatedBytesPerStep"] = (GC.GetAllocatedBytesForCurrentThread() - before) / (double)steps,
        };
    }

    private static void Show(Report report, JsonArray figures, IReadOnlyList<PeerTimes> peers)
    {
        report.Paragraph(
            "Microseconds of a step (forward pass, backward pass, plain gradient descent), the best of many rounds; the peers at the best "
            + $"of several settings of their threads, in processes of their own: {string.Join("; ", peers.Select(peer => peer.Name))}. "
            + "*bytes*: managed memory that a step of ours allocates.");
        report.Table(
            ["network", "batch", "threads", "ours", .. PeerTimes.All, "bytes"],
            figures.Select(row => (IReadOnlyList<string>)
            [
                row!["network"]!.ToString(),
                row["batch"]!.ToString(),
                row["threads"]!.ToString(),
                .. peers.Select(peer => peer[row["network"]!.ToString()])
                    .Prepend(row["microsecondsPerStep"]!.GetValue<double>())
                    .Select(time => time?.ToString("N1", CultureInfo.InvariantCulture) ?? "–"),
                row["allocatedBytesPerStep"]!.GetValue<double>().ToString("0", CultureInfo.InvariantCulture),
            ]),
            texts: 1);
    }
}
