using System.CommandLine;
using System.Globalization;
using MlNetBatchNorm.Cli;
using MlNetBatchNorm.Cli.Timing;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Bench;

/// <summary>
/// 784-512-512-512-10 in each precision: the size of the file and the time of one row, of 256 and of 1024 on one thread. All of them in
/// turn in one process, round by round, and the best round counts: on a busy machine separate runs cannot be compared.
/// </summary>
internal sealed class PrecisionComparison() : Benchmark(
    "precision", "Precisions: speed", "Time 784-512-512-512-10 in each precision on one thread, and the size of its file.")
{
    private static readonly int[] Sizes = [784, 512, 512, 512, 10];
    private static readonly int[] Rows = [1, 256, 1024];

    public override Task<int> RunAsync(ParseResult arguments, Report report, CancellationToken cancellation)
    {
        var each = TimeSpan.FromMilliseconds(arguments.GetValue(Quick) ? 10 : 600);
        Report.Progress("precision");
        var model = Create(new Random(1));
        var results = Enum.GetValues<ModelPrecision>().Select(precision => PrecisionReducer.Reduce(model, precision)).ToArray();
        var times = Array.ConvertAll(Rows, rows => Measure(results, rows, each, cancellation));
        report.Paragraph("784-512-512-512-10 on one thread: microseconds a call, the best of many rounds in turn.");
        report.Table(["precision", "file, bytes", .. Rows.Select(rows => $"{rows:N0} row{(rows == 1 ? string.Empty : "s")}")],
            results.Select((result, i) => (IReadOnlyList<string>)
            [
                PrecisionNames.NameOf(result.Precision),
                result.BytesAfter.ToString("N0", CultureInfo.InvariantCulture),
                .. times.Select(time => time[i].ToString("N1", CultureInfo.InvariantCulture)),
            ]),
            texts: 1);
        return Task.FromResult(ExitCode.Done);
    }

    private static double[] Measure(PrecisionResult[] results, int rows, TimeSpan each, CancellationToken cancellation)
    {
        var contenders = Array.ConvertAll(results, result => new ScorerContender(result.Model.Proto, rows, Device.Cpu, threads: 1));
        var times = Turns.Measure(contenders, each, cancellation);
        foreach (var contender in contenders) contender.Dispose();
        return times;
    }

    private static ModelProto Create(Random random)
    {
        var nodes = new GraphBuilder("perceptron");
        var x = nodes.Input("x", DataType.Float, TensorDimension.Rows, Sizes[0]);
        for (var layer = 1; layer < Sizes.Length; layer++)
        {
            if (layer > 1) x = nodes.Node("Relu", [x]);
            x = nodes.Node("Gemm", [x, Weight(Sizes[layer - 1], Sizes[layer]), Weight(1, Sizes[layer])]);
        }

        nodes.Output("y", x, DataType.Float, TensorDimension.Rows, Sizes[^1]);
        return nodes.Build();

        Value Weight(int rows, int columns)
        {
            var limit = Math.Sqrt(6.0 / Sizes[0]);
            var values = Enumerable.Range(0, rows * columns).Select(_ => (float)(((2 * random.NextDouble()) - 1) * limit)).ToArray();
            return nodes.Initializer(TensorData.Create("w", values, rows, columns));
        }
    }
}
