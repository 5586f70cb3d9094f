using System.Globalization;
using MlNetBatchNorm.Cli.Benchmarks;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Bench;

/// <summary>
/// 784-512-512-512-10 in each precision: the size of the file and the time of one row, of 256 and of 1024 on one thread. All of them in turn in one
/// process, round by round, and the best round counts: on a busy machine separate runs cannot be compared. It takes some 20 seconds.
/// </summary>
internal static class PrecisionComparison
{
    private static readonly int[] Sizes = [784, 512, 512, 512, 10];
    private static readonly int[] Rows = [1, 256, 1024];
    private static readonly TimeSpan Each = TimeSpan.FromMilliseconds(600);

    public static void Run()
    {
        var model = Create(new Random(1));
        var results = Enum.GetValues<ModelPrecision>().Select(precision => PrecisionReducer.Reduce(model, precision)).ToArray();
        Console.WriteLine($"{"precision",-20} {"bytes",10} {string.Join(' ', Rows.Select(rows => $"{$"{rows} row{(rows == 1 ? string.Empty : "s")}, µs",14}"))}");
        var times = Array.ConvertAll(Rows, rows => Measure(results, rows));
        for (var i = 0; i < results.Length; i++)
        {
            var figures = times.Select(time => string.Create(CultureInfo.InvariantCulture, $"{time[i],14:N1}"));
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{PrecisionNames.NameOf(results[i].Precision),-20} {results[i].BytesAfter,10:N0} {string.Join(' ', figures)}"));
        }
    }

    private static double[] Measure(PrecisionResult[] results, int rows)
    {
        var contenders = Array.ConvertAll(results, result => new ScorerContender(result.Model.Proto, rows, Device.Cpu, threads: 1));
        var times = Turns.Measure(contenders, Each, CancellationToken.None);
        foreach (var contender in contenders) contender.Dispose();
        return times;
    }

    private static ModelProto Create(Random random)
    {
        var nodes = new GraphBuilder("perceptron");
        var x = nodes.Input("x", DataType.Float, Dimension.Rows, Sizes[0]);
        for (var layer = 1; layer < Sizes.Length; layer++)
        {
            if (layer > 1) x = nodes.Node("Relu", [x]);
            x = nodes.Node("Gemm", [x, Weight(Sizes[layer - 1], Sizes[layer]), Weight(1, Sizes[layer])]);
        }

        nodes.Output("y", x, DataType.Float, Dimension.Rows, Sizes[^1]);
        return nodes.Build();

        Value Weight(int rows, int columns)
        {
            var limit = Math.Sqrt(6.0 / Sizes[0]);
            var values = Enumerable.Range(0, rows * columns).Select(_ => (float)(((2 * random.NextDouble()) - 1) * limit)).ToArray();
            return nodes.Initializer(TensorData.Create("w", values, rows, columns));
        }
    }
}
