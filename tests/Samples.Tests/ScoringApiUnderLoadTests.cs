using System.Net;
using System.Text.Json;

namespace MlNetBatchNorm.Samples.Tests;

public sealed class ScoringApiUnderLoadTests
{
    [Fact]
    public async Task Requests_WhileTheModelIsReplaced_AllSucceedWithOneOrTheOtherModelsAnswer()
    {
        await using var service = await RunningService.StartAsync();
        using var stop = new CancellationTokenSource();
        var clients = Enumerable.Range(0, 8).Select(client => Task.Run(async () =>
        {
            var requests = 0;
            float[] row = [client, 10, 100];
            for (; !stop.IsCancellationRequested; requests++)
            {
                var single = await service.PostAsync("/score", $"{{ \"features\": [{client}, 10, 100] }}");
                AssertAnswer(row, single, sum => sum[0].GetSingle());
                var batch = await service.PostAsync("/score/batch", $"{{ \"rows\": [[1, 2, 3], [{client}, 10, 100]] }}");
                AssertAnswer(row, batch, sum => sum[1][0].GetSingle());
            }

            return requests;
        })).ToList();

        for (var generation = 2; generation <= 7; generation++)
        {
            await ReplaceAsync(service, generation);
            for (var wait = 0; service.Scorer.Model.Generation < generation && wait < 1000; wait++) await Task.Delay(10);
            var (_, body) = await service.PostAsync("/score", """{ "features": [1, 10, 100] }""");
            Assert.Equal(
                $$$"""{"generation":{{{generation}}},"outputs":{"sum":[{{{321 * Factor(generation)}}}],"double":[2,20,200]}}""",
                body.GetRawText());
            Assert.DoesNotContain(clients, client => client.IsFaulted);
        }

        // A file that is no model: the old one goes on, and health says why.
        await File.WriteAllTextAsync(service.ModelPath, "not a model");
        for (var wait = 0; service.Scorer.LastReloadFailure is null && wait < 1000; wait++) await Task.Delay(10);
        var (status, health) = await service.GetAsync("/health");
        Assert.Equal((HttpStatusCode.OK, "Degraded"), (status, health.GetProperty("status").GetString()));
        Assert.Contains(
            "model.onnx", health.GetProperty("checks").GetProperty("scorer").GetProperty("reloadFailure").GetString(),
            StringComparison.Ordinal);

        await stop.CancelAsync();
        Assert.All(await Task.WhenAll(clients), requests => Assert.True(requests > 0));
    }

    // Two models in turn.
    private static int Factor(int generation) => generation % 2 == 1 ? 1 : 2;

    private static void AssertAnswer(float[] row, (HttpStatusCode Status, JsonElement Body) answer, Func<JsonElement, float> read)
    {
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        var generation = answer.Body.GetProperty("generation").GetInt32();
        Assert.Equal(WeightedSum.Of(row, Factor(generation)), read(answer.Body.GetProperty("outputs").GetProperty("sum")));
    }

    // The three ways in which people replace a file: renamed over it, overwritten at once, and overwritten piece by piece.
    private static async Task ReplaceAsync(RunningService service, int generation)
    {
        var next = WeightedSum.Write(service.Folder.File("next.onnx"), Factor(generation));
        switch (generation % 3)
        {
            case 0:
                File.Move(next, service.ModelPath, overwrite: true);
                break;
            case 1:
                File.Copy(next, service.ModelPath, overwrite: true);
                break;
            default:
                var bytes = await File.ReadAllBytesAsync(next);
                await using (var file = new FileStream(service.ModelPath, FileMode.Create, FileAccess.Write, FileShare.ReadWrite))
                {
                    for (var start = 0; start < bytes.Length; start += 100)
                    {
                        await file.WriteAsync(bytes.AsMemory(start, Math.Min(100, bytes.Length - start)));
                        await file.FlushAsync();
                        await Task.Delay(5);
                    }
                }

                break;
        }
    }
}
