using System.Diagnostics;
using System.Globalization;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Bench;

/// <summary>
/// 784-512-512-512-10 in each precision: the size of the file and the time of one row and of 1024 on one thread. All of them in turn in one process,
/// round by round, and the best round counts: on a busy machine separate runs cannot be compared.
/// </summary>
internal static class PrecisionComparison
{
    private static readonly int[] Sizes = [784, 512, 512, 512, 10];

    public static void Run()
    {
        var random = new Random(1);
        var model = Create(random);
        var results = Enum.GetValues<ModelPrecision>().Select(precision => PrecisionReducer.Reduce(model, precision)).ToArray();
        var scorers = results.Select(result => Scorer.Load(result.Model)).ToArray();
        var rows = Enumerable.Range(0, 1024 * Sizes[0]).Select(_ => random.NextSingle()).ToArray();
        var single = Measure(scorers, rows, 1, rounds: 40, calls: 100);
        var batch = Measure(scorers, rows, 1024, rounds: 10, calls: 1);
        Console.WriteLine($"{"precision",-20} {"bytes",10} {"1 row, µs",10} {"1024 rows, µs",14}");
        for (var i = 0; i < results.Length; i++)
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{PrecisionNames.NameOf(results[i].Precision),-20} {results[i].BytesAfter,10:N0} {single[i],10:F1} {batch[i],14:N0}"));
            scorers[i].Dispose();
        }
    }

    private static double[] Measure(Scorer[] scorers, float[] rows, int count, int rounds, int calls)
    {
        var results = new float[count * Sizes[^1]];
        var best = Enumerable.Repeat(double.PositiveInfinity, scorers.Length).ToArray();
        for (var round = 0; round < rounds; round++)
        {
            for (var i = 0; i < scorers.Length; i++)
            {
                var start = Stopwatch.GetTimestamp();
                for (var call = 0; call < calls; call++)
                {
                    if (count == 1) scorers[i].Score(rows.AsSpan(0, Sizes[0]), results);
                    else scorers[i].ScoreBatch(rows, count, results);
                }

                best[i] = Math.Min(best[i], Stopwatch.GetElapsedTime(start).TotalMicroseconds / calls);
            }
        }

        return best;
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
