using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using ScoringApi;

namespace MlNetBatchNorm.Samples.Tests;

/// <summary>What those who run the service see of it: limits, probes, metrics and traces, and the files that it is deployed with.</summary>
public sealed class ScoringApiOperationTests
{
    private const string Row = """{ "features": [1, 10, 100] }""";

    [Fact]
    public async Task Refusal_ForWantOfRoom_SaysWhenToTryAgain()
    {
        await using var service = await RunningService.StartAsync("--Limits:Wait", "00:00:00.0000001", "--Limits:ParallelRuns", "1");
        // One of two that come at the same moment has to wait, and may not.
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var rows = "{ \"rows\": [" + string.Join(',', Enumerable.Repeat("[1, 2, 3]", 50)) + "] }";
        var refusals = new ConcurrentBag<string>();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                using var content = new StringContent(rows, Encoding.UTF8, "application/json");
                using var response = await service.Client.PostAsync(new Uri("/score/batch", UriKind.Relative), content);
                if (response.StatusCode == HttpStatusCode.OK) continue;
                refusals.Add($"{(int)response.StatusCode} {response.Headers.RetryAfter} {await response.Content.ReadAsStringAsync()}");
                await stop.CancelAsync();
            }
        })));
        Assert.NotEmpty(refusals);
        Assert.All(refusals, refusal =>
        {
            Assert.StartsWith("503 1 {", refusal, StringComparison.Ordinal);
            Assert.Contains("No run was free within 0 s.", refusal, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task Answer_ThatIsNoNumber_IsRefused()
    {
        await using var service = await RunningService.StartAsync();
        var (status, body) = await service.PostAsync("/score", """{ "features": [3e38, 3e38, 3e38] }""");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, status);
        Assert.Contains("The model's answer 'sum' to row 0", body.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Body_BeyondTheLimit_IsRefused()
    {
        await using var service = await RunningService.StartAsync("--Limits:BodyBytes", "100");
        var (status, _) = await service.PostAsync("/score", $"{new string(' ', 100)}{Row}");
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, status);
    }

    [Fact]
    public async Task Limits_ThatCannotBe_KeepTheServiceFromStarting()
    {
        var refusal = await Assert.ThrowsAsync<Microsoft.Extensions.Options.OptionsValidationException>(
            () => RunningService.StartAsync("--Limits:JoinedRows", "0"));
        Assert.Contains("Limits: every number and time must be above 0", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Readiness_WhileTheServiceStops_IsWithdrawn()
    {
        await using var service = await RunningService.StartAsync();
        Assert.Equal(HttpStatusCode.OK, (await service.GetAsync("/v2/health/ready")).Status);
        service.App.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();
        // Kestrel is still there: nobody told the host to stop but by this signal.
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await service.GetAsync("/v2/health/ready")).Status);
        Assert.Equal(HttpStatusCode.OK, (await service.GetAsync("/v2/health/live")).Status);
    }

    [Fact]
    public async Task Metrics_ForPrometheus_CountRowsAndRuns()
    {
        await using var service = await RunningService.StartAsync();
        await service.PostAsync("/score", Row);
        await service.PostAsync("/score/batch", """{ "rows": [[1, 2, 3], [4, 5, 6]] }""");
        var text = await service.Client.GetStringAsync(new Uri("/metrics", UriKind.Relative));
        Assert.Equal(3, Value("mlnetbn_scorer_rows"));
        Assert.Equal(2, Value("scoring_run_rows_count"));
        Assert.Equal(3, Value("scoring_run_rows_sum"));
        Assert.Equal(2, Value("mlnetbn_scorer_duration_seconds_count"));
        Assert.Matches("""http_server_request_duration_seconds_count\{[^}]*http_route="/score/batch"[^}]*\} 1\b""", text);

        double Value(string name)
        {
            var match = Regex.Match(text, $@"^{name}(?:_\w+)?(?:\{{[^}}]*\}})? (\S+)", RegexOptions.Multiline);
            Assert.True(match.Success, $"{name} is not in\n{text}");
            return double.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
        }
    }

    [Fact]
    public async Task Telemetry_ToACollector_HasTheTraceOfTheRequest()
    {
        var received = new ConcurrentDictionary<string, byte[]>();
        var builder = WebApplication.CreateSlimBuilder(["--urls", "http://127.0.0.1:0", "--Logging:LogLevel:Default", "None"]);
        await using var collector = builder.Build();
        collector.MapPost("/v1/{signal}", async (string signal, HttpRequest request) =>
        {
            using var body = new MemoryStream();
            await request.Body.CopyToAsync(body);
            received.AddOrUpdate(signal, _ => body.ToArray(), (_, before) => [.. before, .. body.ToArray()]);
            return Results.Bytes([], "application/x-protobuf");
        });
        await collector.StartAsync();
        await using var service = await RunningService.StartAsync(
            "--OTEL_EXPORTER_OTLP_ENDPOINT", collector.Urls.Single(), "--OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf",
            "--OTEL_METRIC_EXPORT_INTERVAL", "100", "--OTEL_BSP_SCHEDULE_DELAY", "100", "--OTEL_SERVICE_NAME", "a name of its own");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/score")
        {
            Content = new StringContent(Row, Encoding.UTF8, "application/json"),
            Headers = { { "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" } },
        };
        (await service.Client.SendAsync(request)).EnsureSuccessStatusCode();

        await Until("metrics", "scoring.run.rows"u8.ToArray(), 1);
        // The span of the request and that of the scoring within it, both of the caller's trace.
        await Until("traces", Convert.FromHexString("0af7651916cd43dd8448eb211c80319c"), 2);
        await Until("traces", "scoring.rows"u8.ToArray(), 1);
        await Until("traces", "a name of its own"u8.ToArray(), 1);

        async Task Until(string signal, byte[] part, int times)
        {
            for (var wait = 0; Count(received.GetValueOrDefault(signal, []), part) < times; wait++)
            {
                Assert.True(wait < 1000, $"{signal} did not come within 10 seconds; there are {string.Join(", ", received.Keys)}.");
                await Task.Delay(10);
            }
        }

        static int Count(ReadOnlySpan<byte> bytes, byte[] part)
        {
            var count = 0;
            for (int at; (at = bytes.IndexOf(part)) >= 0; bytes = bytes[(at + part.Length)..]) count++;
            return count;
        }
    }

    [Fact]
    public async Task Manifests_ProbesAndPorts_AreThoseOfTheService()
    {
        await using var service = await RunningService.StartAsync();
        var manifest = await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "deploy", "kubernetes.yaml"));
        var container = await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "deploy", "Containerfile"));
        var paths = Regex.Matches(manifest, @"^\s+path: (/\S+)$", RegexOptions.Multiline).Select(match => match.Groups[1].Value).ToList();
        Assert.Equal(3, paths.Count);
        foreach (var path in paths.Append("/metrics"))
        {
            using var response = await service.Client.GetAsync(new Uri(path, UriKind.Relative));
            Assert.Equal((path, HttpStatusCode.OK), (path, response.StatusCode));
        }

        Assert.Contains("prometheus.io/path: /metrics", manifest, StringComparison.Ordinal);
        var ports = Regex.Matches(manifest, @"containerPort: (\d+)").Select(match => match.Groups[1].Value);
        Assert.Equal(Regex.Matches(container, @"http://\+:(\d+)").Select(match => match.Groups[1].Value), ports);
        // Settings that the manifest makes are ones that the service knows.
        var known = typeof(Limits).GetProperties().Select(property => $"Limits__{property.Name}")
            .Concat(["Scorer__ModelPath", "OpenInference__ModelName", "OTEL_EXPORTER_OTLP_ENDPOINT"]).ToHashSet();
        Assert.All(
            Regex.Matches(manifest, @"- name: (\w+__\w+|OTEL_\w+)").Select(match => match.Groups[1].Value),
            name => Assert.Contains(name, known));
    }
}
