using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using MlNetBatchNorm.Cli;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Bench;

/// <summary>Folds graphs of very many nodes, from file to file with the proof.</summary>
internal sealed class FoldBenchmark : Benchmark
{
    public FoldBenchmark()
        : base("fold", "Large graphs", "Fold graphs of up to a million nodes, from file to file.")
    {
    }

    public override Task<int> RunAsync(ParseResult arguments, Report report, CancellationToken cancellation)
    {
        var (quick, random) = (arguments.GetValue(Quick), new Random(1));
        var share = quick ? 1000 : 1;
        (string Name, Func<int, GraphBuilder> Make, int Size)[] cases =
        [
            ("layers of MatMul, batch normalization and Relu", size => Layers(size, random), 10_000),
            ("Mul by constants of their own before a batch normalization", size => Products(size, random), 100_000),
            ("Relu, and 10 convolutions with batch normalizations between them", size => Activations(size, random), 1_000_000),
        ];
        var folder = Directory.CreateTempSubdirectory("mlnetbn-bench-");
        try
        {
            foreach (var (_, make, size) in cases) Time(folder.FullName, make(size / 1000));
            report.Paragraph(
                "Reading, folding, the proof part by part, and writing, in a process that has folded small graphs before. *allocated*: "
                + "what was asked for, most of which was given back on the way.");
            report.Table(
                ["graph", "folded", "seconds", "seconds of CPU", "MB allocated"],
                cases.Select(each =>
                {
                    cancellation.ThrowIfCancellationRequested();
                    Report.Progress($"fold {each.Name}");
                    var size = each.Size / share;
                    return (IReadOnlyList<string>)[Text($"{size:N0} {each.Name}"), .. Time(folder.FullName, each.Make(size))];
                }),
                texts: 1);
        }
        finally
        {
            folder.Delete(recursive: true);
        }

        return Task.FromResult(ExitCode.Done);
    }

    private static string[] Time(string folder, GraphBuilder graph)
    {
        var (from, to) = (Path.Combine(folder, "from.onnx"), Path.Combine(folder, "to.onnx"));
        ModelFile.Write(graph.Build(), from);
        GC.Collect();
        using var process = Process.GetCurrentProcess();
        var (cpu, allocated, start) = (process.TotalProcessorTime, GC.GetTotalAllocatedBytes(), Stopwatch.GetTimestamp());
        var result = BatchNormFolder.FoldFile(from, to, new FoldFileOptions());
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        process.Refresh();
        return
        [
            Text($"{result.Fold.Removed:N0}"), Text($"{seconds:0.0}"),
            Text($"{(process.TotalProcessorTime - cpu).TotalSeconds:0.0}"),
            Text($"{(GC.GetTotalAllocatedBytes() - allocated) / 1e6:0}"),
        ];
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static GraphBuilder Layers(int layers, Random random)
    {
        const int Units = 8;
        var graph = new GraphBuilder("layers");
        var x = graph.Input("x", DataType.Float, TensorDimension.Rows, Units);
        for (var layer = 0; layer < layers; layer++)
        {
            var product = graph.Node("MatMul", [x, Numbers(graph, random, 0.3f, Units, Units)]);
            x = graph.Node("Relu", [Normalized(graph, product, Units, random)]);
        }

        graph.Output("y", x, DataType.Float, TensorDimension.Rows, Units);
        return graph;
    }

    private static GraphBuilder Products(int products, Random random)
    {
        const int Units = 8;
        var graph = new GraphBuilder("products");
        var x = graph.Input("x", DataType.Float, TensorDimension.Rows, Units);
        for (var i = 0; i < products; i++)
            x = graph.Node("Mul", [x, graph.Initializer(TensorData.Create("by", [0.99f + (0.02f * random.NextSingle())]))]);
        graph.Output("y", Normalized(graph, x, Units, random), DataType.Float, TensorDimension.Rows, Units);
        return graph;
    }

    private static GraphBuilder Activations(int activations, Random random)
    {
        const int Channels = 4, Convolutions = 10;
        var graph = new GraphBuilder("activations");
        var x = graph.Input("x", DataType.Float, 1, Channels, 2, 2);
        for (var i = 0; i < activations; i++)
        {
            if (i % Math.Max(1, activations / Convolutions) == 0)
                x = Normalized(
                    graph, graph.Node("Conv", [x, Numbers(graph, random, 1, Channels, Channels, 1, 1)]), Channels, random);
            x = graph.Node("Relu", [x]);
        }

        graph.Output("y", x, DataType.Float, 1, Channels, 2, 2);
        return graph;
    }

    private static Value Normalized(GraphBuilder graph, Value x, int channels, Random random) => graph.Node(
        "BatchNormalization",
        [
            x, Numbers(graph, random, 1, channels), Numbers(graph, random, 1, channels), Numbers(graph, random, 1, channels),
            Numbers(graph, random, 1, channels),
        ]);

    private static Value Numbers(GraphBuilder graph, Random random, float most, params long[] shape)
    {
        var numbers = new float[shape.Aggregate(1L, (product, size) => product * size)];
        foreach (ref var number in numbers.AsSpan()) number = most * (0.1f + (0.9f * random.NextSingle()));
        return graph.Initializer(TensorData.Create("numbers", numbers, shape));
    }
}
