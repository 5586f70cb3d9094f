using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Runtime.InteropServices;
using System.Text;
using Google.Protobuf;
using Grpc.Net.Client;
using HdrHistogram;
using Microsoft.AspNetCore.Builder;
using MlNetBatchNorm.Cli;
using MlNetBatchNorm.Cli.Timing;
using MlNetBatchNorm.Onnx.Graph;
using ScoringApi;
using ScoringApi.OpenInference.Protocol;

namespace MlNetBatchNorm.Bench;

/// <summary>
/// samples/ScoringApi over loopback: clients that send a row, wait for the answer and send the next. Requests that come together are
/// joined for one run of the model, or each has a run of its own; both services run in this process, and are measured in turn.
/// </summary>
internal sealed class ServiceBenchmark() : Benchmark(
    "service", "A service under load", "Requests a second and 99th percentile of the sample service: requests joined, and one run each.")
{
    private const int Digits = 3;

    // Many short turns: what else the machine does meets both alike.
    private const int Rounds = 20;

    private static readonly long LongestMicroseconds = (long)TimeSpan.FromMinutes(1).TotalMicroseconds;

    public override async Task<int> RunAsync(ParseResult arguments, Report report, CancellationToken cancellation)
    {
        var quick = arguments.GetValue(Quick);
        var each = TimeSpan.FromSeconds(quick ? 0.01 : 0.3);
        var rows = new List<string[]>();
        foreach (var network in quick ? BenchmarkNetwork.All.Take(1) : BenchmarkNetwork.All.Take(2))
        {
            var folder = Directory.CreateTempSubdirectory("mlnetbn-bench-");
            try
            {
                ModelFile.Write(network.Train().Folded, Path.Combine(folder.FullName, "model.onnx"));
                await using var joined = await LoadedService.StartAsync(folder.FullName, new Limits().JoinedRows);
                await using var single = await LoadedService.StartAsync(folder.FullName, 1);
                var row = Contender.RandomRows((int)network.Architecture.InputShape.Count);
                foreach (var way in new[] { "REST", "gRPC" })
                {
                    foreach (var clients in quick ? [2] : new[] { 1, 8, 64 })
                    {
                        Report.Progress($"service {network.Name}, {way}, {clients} clients");
                        var figures = await CompareAsync(joined, single, way, row, clients, each, cancellation);
                        rows.Add([network.Name, way, $"{clients}", .. figures]);
                    }
                }
            }
            finally
            {
                folder.Delete(recursive: true);
            }
        }

        report.Paragraph(
            "Each client sends one row, waits for the answer and sends the next; clients and service share the machine, so a good part of "
            + "what is measured is the clients. Requests a second and the 99th percentile of their times in milliseconds: requests that come "
            + "together joined for one run, and one run each.");
        report.Table(
            ["network", "by", "clients", "joined: a second", "one each: a second", "ratio", "joined: p99", "one each: p99", "ratio"], rows,
            texts: 2);
        return ExitCode.Done;
    }

    private static async Task<string[]> CompareAsync(
        LoadedService joined, LoadedService single, string way, float[] row, int clients, TimeSpan each, CancellationToken cancellation)
    {
        LoadedService[] services = [joined, single];
        var (times, taken) = (new LongHistogram[2], new TimeSpan[2]);
        for (var i = 0; i < 2; i++)
        {
            times[i] = new LongHistogram(LongestMicroseconds, Digits);
            // What is compiled, opened and allocated the first time belongs to neither.
            await services[i].LoadAsync(way, row, clients, each * 4, new LongHistogram(LongestMicroseconds, Digits), cancellation);
        }

        for (var round = 0; round < Rounds * 2; round++)
        {
            // One, the other, the other, the one.
            var i = (round + (round / 2)) % 2;
            taken[i] += await services[i].LoadAsync(way, row, clients, each, times[i], cancellation);
        }

        double[] rates = [times[0].TotalCount / taken[0].TotalSeconds, times[1].TotalCount / taken[1].TotalSeconds];
        double[] slowest = [times[0].GetValueAtPercentile(99) / 1000.0, times[1].GetValueAtPercentile(99) / 1000.0];
        return
        [
            Number(rates[0], "N0"), Number(rates[1], "N0"), Number(rates[0] / rates[1], "0.00"), Number(slowest[0], "0.00"),
            Number(slowest[1], "0.00"), Number(slowest[0] / slowest[1], "0.00"),
        ];
    }

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    private sealed class LoadedService(WebApplication app) : IAsyncDisposable
    {
        private readonly HttpClient _rest = new() { BaseAddress = new Uri(app.Urls.First()) };
        private readonly GrpcChannel _grpc = GrpcChannel.ForAddress(
            app.Urls.Last(), new GrpcChannelOptions { HttpHandler = new SocketsHttpHandler { EnableMultipleHttp2Connections = true } });

        public static async Task<LoadedService> StartAsync(string folder, int joinedRows)
        {
            var app = ScoringService.Build(
            [
                "--urls", "http://127.0.0.1:0", "--GrpcUrls", "http://127.0.0.1:0", "--contentRoot", folder,
                "--Scorer:ModelPath", "model.onnx", "--Limits:JoinedRows", joinedRows.ToString(CultureInfo.InvariantCulture),
                "--Logging:LogLevel:Default", "None",
            ]);
            await app.StartAsync();
            return new LoadedService(app);
        }

        /// <summary>Sends one row after the other from each client, and says how long that took.</summary>
        public async Task<TimeSpan> LoadAsync(
            string way, float[] row, int clients, TimeSpan time, LongHistogram times, CancellationToken cancellation)
        {
            var send = way == "REST" ? Rest(row) : Grpc(row);
            var start = Stopwatch.GetTimestamp();
            var parts = await Task.WhenAll(Enumerable.Range(0, clients).Select(_ => Task.Run(
                async () =>
                {
                    var own = new LongHistogram(LongestMicroseconds, Digits);
                    while (Stopwatch.GetElapsedTime(start) < time)
                    {
                        var begun = Stopwatch.GetTimestamp();
                        await send(cancellation);
                        own.RecordValue((long)Stopwatch.GetElapsedTime(begun).TotalMicroseconds);
                    }

                    return own;
                },
                cancellation)));
            var taken = Stopwatch.GetElapsedTime(start);
            foreach (var part in parts) times.Add(part);
            return taken;
        }

        public async ValueTask DisposeAsync()
        {
            _rest.Dispose();
            _grpc.Dispose();
            await app.DisposeAsync();
        }

        private Func<CancellationToken, Task> Rest(float[] row)
        {
            var numbers = string.Join(',', row.Select(value => value.ToString("R", CultureInfo.InvariantCulture)));
            var body = Encoding.UTF8.GetBytes(
                $$"""{"inputs":[{"name":"{{TrainedInput}}","shape":[1,{{row.Length}}],"datatype":"FP32","data":[{{numbers}}]}]}""");
            return async cancellation =>
            {
                using var content = new ByteArrayContent(body);
                content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
                using var response = await _rest.PostAsync(new Uri("/v2/models/model/infer", UriKind.Relative), content, cancellation);
                response.EnsureSuccessStatusCode();
                await response.Content.ReadAsByteArrayAsync(cancellation);
            };
        }

        private Func<CancellationToken, Task> Grpc(float[] row)
        {
            var client = new GRPCInferenceService.GRPCInferenceServiceClient(_grpc);
            var request = new ModelInferRequest
            {
                ModelName = "model",
                Inputs =
                {
                    new ModelInferRequest.Types.InferInputTensor { Name = TrainedInput, Datatype = "FP32", Shape = { 1, row.Length } },
                },
                RawInputContents = { ByteString.CopyFrom(MemoryMarshal.AsBytes(row.AsSpan())) },
            };
            return async cancellation => await client.ModelInferAsync(request, cancellationToken: cancellation);
        }

        private string TrainedInput { get; } = ((MlNetBatchNorm.Hosting.IOnnxScorer)app.Services.GetService(
            typeof(MlNetBatchNorm.Hosting.IOnnxScorer))!).Model.Inputs[0].Name;
    }
}
