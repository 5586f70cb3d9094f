using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Transforms.Tests.Saving;

namespace MlNetBatchNorm.Transforms.Tests.Scoring;

public sealed class ManyThreadsTests
{
    // For a longer run by hand: MLNETBN_THREADS_SECONDS=10.
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(
        double.Parse(Environment.GetEnvironmentVariable("MLNETBN_THREADS_SECONDS") ?? "1", CultureInfo.InvariantCulture));

    [Fact]
    public void SixteenThreads_ViewsEnginesAndScorerOfOneTransformer_EveryAnswerIsRight()
    {
        var ml = new MLContext(seed: 1);
        using var model = (BatchNormTransformer)GoldenModels.Train(ml, LearningTask.Regression);
        var rows = Waves.Create(700, seed: 5);
        var expected = model.Transform(ml.Data.LoadFromEnumerable(rows)).GetColumn<float>("Score").ToArray();
        var scored = new long[16];
        var threads = Enumerable.Range(0, 16).Select(index => new Thread(() => scored[index] = Work(index % 3))).ToArray();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
        Assert.DoesNotContain(-1, scored);
        Assert.All(scored, count => Assert.True(count >= rows.Length, $"{count} rows"));

        // The number of right answers; -1 where one was wrong or failed.
        long Work(int kind)
        {
            try
            {
                var (count, end) = (0L, DateTime.UtcNow + Duration);
                do
                {
                    var answers = kind == 0 ? FromView() : kind == 1 ? FromEngine() : FromScorer();
                    for (var row = 0; row < rows.Length; row++)
                        if (Math.Abs(answers[row] - expected[row]) > 1e-5f * Math.Abs(expected[row])) return -1;
                    count += rows.Length;
                }
                while (DateTime.UtcNow < end);
                return count;
            }
            catch (Exception exception) when (
                exception is InvalidOperationException or ObjectDisposedException or MlNetBatchNorm.ModelRunException)
            {
                return -1;
            }
        }

        float[] FromView() => [.. model.Transform(ml.Data.LoadFromEnumerable(rows)).GetColumn<float>("Score")];

        float[] FromEngine()
        {
            using var engine = ml.Model.CreatePredictionEngine<Waves.Row, RegressionPrediction>(
                model, new PredictionEngineOptions { OwnsTransformer = false });
            return Array.ConvertAll(rows, row => engine.Predict(row).Score);
        }

        float[] FromScorer()
        {
            var result = new float[1];
            return Array.ConvertAll(rows, row =>
            {
                model.Scorer.Score(row.Features, result);
                return result[0];
            });
        }
    }
}
