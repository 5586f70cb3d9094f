using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MlNetBatchNorm.Onnx.Tests.NamedColumns;

namespace MlNetBatchNorm.Hosting.Tests;

/// <summary><c>AddBatchNormScorer</c>, judged by sums that can be done in the head (<see cref="CustomerModel"/>).</summary>
public sealed class NamedColumnsTests : IDisposable
{
    private static readonly Customer Known = new(3, "Month", new DateOnly(2024, 1, 3), true);

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Start_ModelOfColumns_ScoresRowsOfAnyKind()
    {
        CustomerModel.Write(_folder.File("pipeline.onnx"));
        using var host = BuildHost(services => services.AddBatchNormScorer("pipeline.onnx"));
        await host.StartAsync();
        var scorer = host.Services.GetRequiredService<IBatchNormScorer>();
        using var json = JsonDocument.Parse("""{ "tenure": 4, "contract_kind": "Year", "joined": "2024-01-01", "partner": "No" }""");

        Assert.Equal(["tenure", "contract_kind", "joined", "partner"], scorer.Model.Columns);
        Assert.Equal((4, 1, "cpu"), (scorer.Model.RowLength, scorer.Model.Generation, scorer.Model.Device.ToString()));
        Assert.Equal(2103, scorer.Score(Known).Score);
        Assert.Equal(204, scorer.Score(json).Score);
        Assert.Equal([2103.0, 2103.0], scorer.ScoreBatch([Known, Known]).Select(prediction => prediction.Score!.Value));
        var wrong = new { tenure = "?!", contract_kind = "Month", joined = "", partner = "" };
        Assert.Contains(
            "Column 'tenure'", Assert.ThrowsAny<ArgumentException>(() => scorer.Score(wrong)).Message, StringComparison.Ordinal);
        await host.StopAsync();
    }

    [Fact]
    public async Task Start_BesideAScorerOfNumbers_EachHasItsOwn()
    {
        CustomerModel.Write(_folder.File("customers.onnx"));
        CustomerModel.Write(_folder.File("twice.onnx"), factor: 2);
        WeightedSum.Write(_folder.File("sum.onnx"), factor: 1);
        var settings = new ConfigurationBuilder().AddInMemoryCollection([new("Columns:ModelPath", "customers.onnx")]).Build();
        using var host = BuildHost(services => services
            .AddOnnxScorer("sum.onnx")
            .AddBatchNormScorer(settings.GetSection("Columns"))
            .AddKeyedBatchNormScorer("twice", "twice.onnx")
            .AddHealthChecks().AddOnnxScorerCheck().AddBatchNormScorerCheck().AddBatchNormScorerCheck("twice"));
        await host.StartAsync();

        var report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();

        Assert.Equal(HealthStatus.Healthy, report.Status);
        Assert.Equal(["batchnorm", "batchnorm:twice", "scorer"], report.Entries.Keys.Order());
        Assert.Equal(3, host.Services.GetRequiredService<IOnnxScorer>().Model.RowLength);
        Assert.Equal(2103, host.Services.GetRequiredService<IBatchNormScorer>().Score(Known).Score);
        Assert.Equal(4206, host.Services.GetRequiredKeyedService<IBatchNormScorer>("twice").Score(Known).Score);
        await host.StopAsync();
    }

    [Fact]
    public void Add_KeyOfAScorerOfNumbers_IsRefused()
    {
        var services = new ServiceCollection().AddKeyedOnnxScorer("one", "one.onnx");

        var error = Assert.Throws<ArgumentException>(() => services.AddKeyedBatchNormScorer("one", "two.onnx"));

        Assert.Contains("of another kind with the name 'one'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Look_AnotherModel_IsTakenWhereItsColumnsAreTheSame()
    {
        CustomerModel.Write(_folder.File("model.onnx"));
        using var services = new ServiceCollection().AddLogging()
            .AddBatchNormScorer(_folder.File("model.onnx"), options => options.ReloadInterval = TimeSpan.Zero)
            .BuildServiceProvider();
        var scorer = (ReloadingBatchNormScorer)services.GetRequiredService<IBatchNormScorer>();
        Assert.Equal(2103, scorer.Score(Known).Score);

        CustomerModel.Write(_folder.File("model.onnx"), factor: 2);
        Look();
        Assert.Equal((4206, 2), (scorer.Score(Known).Score, scorer.Model.Generation));

        CustomerModel.Write(_folder.File("model.onnx"), "binary");
        Look();
        Assert.Equal(4206, scorer.Score(Known).Score);
        Assert.Contains("partner in, binary out) than the model in use", scorer.LastReloadFailure?.Message, StringComparison.Ordinal);

        WeightedSum.Write(_folder.File("model.onnx"), factor: 1);
        Look();
        Assert.Equal(4206, scorer.Score(Known).Score);
        Assert.Contains("does not say how that is made from the columns", scorer.LastReloadFailure?.Message, StringComparison.Ordinal);

        void Look()
        {
            scorer.Look();
            scorer.Look();
        }
    }

    private IHost BuildHost(Action<IServiceCollection> register)
    {
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { ContentRootPath = _folder.Path });
        builder.Logging.ClearProviders();
        register(builder.Services);
        return builder.Build();
    }

    private sealed record Customer(int Tenure, string ContractKind, DateOnly Joined, bool Partner);
}
