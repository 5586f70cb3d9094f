using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using MlNetBatchNorm.Hosting;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using ScoringApi;

namespace MlNetBatchNorm.Samples.Tests;

/// <summary>The service with a model of its own, listening on a port that was free, and a client.</summary>
internal sealed class RunningService : IAsyncDisposable
{
    private RunningService(WebApplication app, TemporaryFolder folder)
    {
        App = app;
        Folder = folder;
        Address = new Uri(app.Urls.First());
        GrpcAddress = new Uri(app.Urls.Last());
        Client = new HttpClient { BaseAddress = Address };
    }

    public WebApplication App { get; }

    public TemporaryFolder Folder { get; }

    public Uri Address { get; }

    /// <summary>The second address: gRPC without TLS needs one of its own.</summary>
    public Uri GrpcAddress { get; }

    public HttpClient Client { get; }

    public string ModelPath => Folder.File("model.onnx");

    public IOnnxScorer Scorer => App.Services.GetRequiredService<IOnnxScorer>();

    public static Task<RunningService> StartAsync(params string[] settings) => StartAsync(WeightedSum.Model(factor: 1), settings);

    public static async Task<RunningService> StartAsync(ModelProto model, params string[] settings)
    {
        var folder = new TemporaryFolder();
        ModelFile.Write(model, folder.File("model.onnx"));
        var app = ScoringService.Build(
            [
                .. Arguments(folder), "--Scorer:ReloadInterval", "00:00:00.02", "--Limits:BatchRows", "50", "--Logging:LogLevel:Default",
                "None", "--GrpcUrls", "http://127.0.0.1:0", .. settings,
            ]);
        await app.StartAsync();
        return new RunningService(app, folder);
    }

    public static string[] Arguments(TemporaryFolder folder) =>
        ["--urls", "http://127.0.0.1:0", "--contentRoot", folder.Path, "--Scorer:ModelPath", "model.onnx"];

    public async Task<(HttpStatusCode Status, JsonElement Body)> PostAsync(string path, string json)
    {
        using var content = new StringContent(json, System.Text.Encoding.UTF8, "application/json");
        using var response = await Client.PostAsync(new Uri(path, UriKind.Relative), content);
        return (response.StatusCode, await response.Content.ReadFromJsonAsync<JsonElement>());
    }

    public async Task<(HttpStatusCode Status, JsonElement Body)> GetAsync(string path)
    {
        using var response = await Client.GetAsync(new Uri(path, UriKind.Relative));
        return (response.StatusCode, await response.Content.ReadFromJsonAsync<JsonElement>());
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await App.DisposeAsync();
        Folder.Dispose();
    }
}
