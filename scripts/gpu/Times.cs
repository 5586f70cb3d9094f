using System.Diagnostics;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli.Reproduction;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.GpuChecks;

/// <summary>
/// Rows a second and microseconds of a training step, on the CPU and on the device. <c>torch_times.py</c> times the same networks, by the
/// same names, in PyTorch.
/// </summary>
internal static class Times
{
    // The last is what a binary trainer takes for a table of 30 features unless it is told otherwise.
    private static readonly (string Name, Network Network, Loss Loss, int[] Rows)[] Networks =
    [
        ("784-512-512-512-10", Network.FeedForward(784, [512, 512, 512], 10), Loss.SoftmaxCrossEntropy, [256, 4096]),
        ("784-1024-1024-1024-10", Network.FeedForward(784, [1024, 1024, 1024], 10), Loss.SoftmaxCrossEntropy, [1024]),
        ("residual CNN", MnistRecipe.Network, Loss.SoftmaxCrossEntropy, [128]),
        ("30-64-32-1 sigmoid", Network.FeedForward(30, [64, 32], 1, Activation.Sigmoid), Loss.SigmoidCrossEntropy, [4096]),
    ];

    /// <summary>Times all networks.</summary>
    /// <param name="device">The device; beside it the CPU is timed.</param>
    /// <param name="each">How long each time is measured.</param>
    public static JsonArray Measure(Device device, TimeSpan each)
    {
        var results = new JsonArray();
        (string Way, Device Device)[] devices = device.Kind == DeviceKind.Cpu
            ? [("cpu", device)]
            : [("cpu", Device.Cpu), ($"{device}", device), ($"{device} graph", DeviceChecks.Recording(device))];
        foreach (var (name, network, loss, counts) in Networks)
        {
            var model = Model(network);
            foreach (var rows in counts)
            {
                foreach (var (way, on) in devices)
                {
                    Try("train", name, rows, way, () => Train(network, loss, rows, on, each));
                    Try("score", name, rows, way, () => Score(model, rows, on, each));
                    Try("score rows in pinned buffers", name, rows, way, () => ScorePinned(model, rows, on, each));
                    Try("score rows on the device", name, rows, way, () => ScoreThere(model, rows, on, each));
                }
            }
        }

        return results;

        void Try(string what, string network, int rows, string way, Func<double> measure)
        {
            var result = new JsonObject { ["what"] = what, ["network"] = network, ["rows"] = rows, ["way"] = way };
            try
            {
                var microseconds = measure();
                result["microseconds"] = Math.Round(microseconds, 1);
                result["rowsPerSecond"] = Math.Round(rows / microseconds * 1e6);
                Console.WriteLine($"{what,-28} {network,-22} {rows,5} rows  {way,-14} {microseconds,10:F1} µs");
            }
            catch (Exception exception) when (exception is DeviceNotAvailableException or ModelRunException)
            {
                result["error"] = exception.Message;
                Console.WriteLine($"{what,-28} {network,-22} {rows,5} rows  {way,-14} {exception.Message}");
            }

            results.Add(result);
        }
    }

    private static OnnxModel Model(Network network)
    {
        const int rows = 64;
        var outputs = (int)network.OutputShape.Count;
        var targets = new float[rows * outputs];
        for (var row = 0; row < rows; row++) targets[(row * outputs) + (row % outputs)] = row % 2;
        var data = new TrainingData(network.InputShape, outputs, Expectations.Numbers(rows * network.InputShape.Count, 1), targets);
        var options = new TrainingOptions { Epochs = 1, BatchSize = 32, ValidationFraction = 0, StandardizeFeatures = false };
        return NetworkTrainer.Train(network, Loss.SquaredError, data, options).Export(data).Folded;
    }

    private static double Train(Network network, Loss loss, int rows, Device device, TimeSpan each)
    {
        using var step = new TrainingStep(
            network, loss, Optimizer.Sgd(), RunningStatistics.PyTorch(), rows, new Random(1),
            settings: device.Kind == DeviceKind.Cpu ? null : new ExecutionOptions { Device = device });
        Expectations.Numbers(step.Features.Span.Length, 2).CopyTo(step.Features.Span);
        var outputs = (int)network.OutputShape.Count;
        for (var row = 0; row < rows; row++) step.Targets.Span[(row * outputs) + (row % outputs)] = 1;
        return Best(each, () => step.Run(rows, 0.01f));
    }

    private static double Score(OnnxModel model, int rows, Device device, TimeSpan each)
    {
        using var scorer = Load(model, device);
        var (input, result) = (Expectations.Numbers((long)rows * scorer.RowLength, 3), new float[rows * scorer.ResultLength]);
        return Best(each, () => scorer.ScoreBatch(input, rows, result));
    }

    private static double ScorePinned(OnnxModel model, int rows, Device device, TimeSpan each)
    {
        using var scorer = Load(model, device);
        using var block = scorer.CreateBlock(rows);
        Expectations.Numbers((long)rows * scorer.RowLength, 3).CopyTo(block.Input<float>(0).Span);
        return Best(each, () => block.Run(rows));
    }

    private static double ScoreThere(OnnxModel model, int rows, Device device, TimeSpan each)
    {
        using var scorer = Load(model, device);
        using var run = scorer.CreateDeviceRun(rows);
        run.Upload(Expectations.Numbers((long)rows * scorer.RowLength, 3));
        return Best(each, run.Run);
    }

    private static OnnxScorer Load(OnnxModel model, Device device) => OnnxScorer.Load(model, new OnnxScorerOptions { Device = device });

    // The best of many short rounds, in microseconds: what it takes when nothing else wants the machine.
    private static double Best(TimeSpan each, Action action)
    {
        const int rounds = 10;
        var warming = Stopwatch.StartNew();
        for (var i = 0; i < 5 && (i < 1 || warming.Elapsed < each); i++) action();
        var once = Stopwatch.StartNew();
        action();
        var count = Math.Max(1, (int)(each / rounds / once.Elapsed));
        var best = double.PositiveInfinity;
        var watch = Stopwatch.StartNew();
        do
        {
            var start = Stopwatch.GetTimestamp();
            for (var i = 0; i < count; i++) action();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalMicroseconds / count);
        }
        while (watch.Elapsed < each);
        return best;
    }
}
