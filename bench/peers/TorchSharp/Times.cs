using System.Diagnostics;
using System.Reflection;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace MlNetBatchNorm.Bench.Peers;

/// <summary>The best of many short rounds, on a number of threads.</summary>
internal static class Times
{
    /// <summary>What was measured: the package's version and that of libtorch.</summary>
    public static string Peer
    {
        get
        {
            var version = typeof(torch).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion;
            return $"TorchSharp {version?.Split('+')[0]} (libtorch {System.Version.Parse(torch.__version__).ToString(3)})";
        }
    }

    /// <summary>Scoring, eager, in inference mode: TorchSharp cannot trace a module.</summary>
    public static IEnumerable<JsonNode> Score(int threads, TimeSpan each, long[] counts)
    {
        set_num_threads(threads);
        random.manual_seed(1);
        using var mode = inference_mode();
        foreach (var (name, build, shape) in Networks.Scored)
        {
            using var network = build();
            network.eval();
            foreach (var rows in counts)
            {
                using var scope = NewDisposeScope();
                var x = (rand([rows, .. shape]) * 2) - 1;
                var time = Best(each, TimeSpan.FromMilliseconds(4), () =>
                {
                    using var call = NewDisposeScope();
                    network.forward(x);
                });
                yield return new JsonObject { ["network"] = name, ["rows"] = rows, ["microseconds"] = time, ["threads"] = threads };
            }
        }
    }

    /// <summary>A step of plain gradient descent.</summary>
    public static IEnumerable<JsonNode> Train(int threads, TimeSpan each)
    {
        set_num_threads(threads);
        random.manual_seed(1);
        foreach (var (name, build, shape, rows, classes) in Networks.Trained)
        {
            using var scope = NewDisposeScope();
            using var network = build();
            using var optimizer = optim.SGD(network.parameters(), learningRate: 0.01);
            using var loss = nn.CrossEntropyLoss();
            var (x, y) = ((rand([rows, .. shape]) * 3) - 1.5, randint(classes, rows, dtype: int64));
            var time = Best(each, each / 30, () =>
            {
                using var step = NewDisposeScope();
                optimizer.zero_grad();
                loss.forward(network.forward(x), y).backward();
                optimizer.step();
            });
            yield return new JsonObject { ["network"] = name, ["microseconds"] = time, ["threads"] = threads };
        }
    }

    // Microseconds of one call.
    private static double Best(TimeSpan each, TimeSpan round, Action call)
    {
        for (var i = 0; i < 5; i++) call();
        var start = Stopwatch.GetTimestamp();
        call();
        var calls = Math.Max(1, (int)(round / Stopwatch.GetElapsedTime(start)));
        var (best, begun) = (double.PositiveInfinity, Stopwatch.GetTimestamp());
        do
        {
            start = Stopwatch.GetTimestamp();
            for (var i = 0; i < calls; i++) call();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalMicroseconds / calls);
        }
        while (Stopwatch.GetElapsedTime(begun) < each);
        return best;
    }
}
