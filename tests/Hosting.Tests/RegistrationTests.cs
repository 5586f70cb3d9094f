using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using MlNetBatchNorm.Onnx;

namespace MlNetBatchNorm.Hosting.Tests;

public sealed class RegistrationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Start_RelativePath_IsFoundAtTheContentRoot()
    {
        WeightedSum.Write(_folder.File("model.onnx"), factor: 1);
        using var host = BuildHost(services => services.AddOnnxScorer("model.onnx"));
        await host.StartAsync();
        Assert.Equal(_folder.File("model.onnx"), host.Services.GetRequiredService<IOnnxScorer>().Model.Path);
        await host.StopAsync();
    }

    [Fact]
    public async Task Start_SeveralModels_EachHasItsKey()
    {
        WeightedSum.Write(_folder.File("one.onnx"), factor: 1);
        WeightedSum.Write(_folder.File("two.onnx"), factor: 2, features: 2);
        using var host = BuildHost(services => services
            .AddKeyedOnnxScorer("one", "one.onnx")
            .AddKeyedOnnxScorer("two", options => options.ModelPath = "two.onnx"));
        await host.StartAsync();
        Assert.Equal(
            (3, 2),
            (
                host.Services.GetRequiredKeyedService<IOnnxScorer>("one").Model.RowLength,
                host.Services.GetRequiredKeyedService<IOnnxScorer>("two").Model.RowLength));
        Assert.Null(host.Services.GetService<IOnnxScorer>());
        await host.StopAsync();
    }

    [Fact]
    public async Task Start_KeysThatAreNoTexts_ServeAsSuch()
    {
        WeightedSum.Write(_folder.File("one.onnx"), factor: 1);
        WeightedSum.Write(_folder.File("two.onnx"), factor: 2, features: 2);
        using var host = BuildHost(services => services
            .AddKeyedOnnxScorer(DayOfWeek.Monday, "one.onnx")
            .AddKeyedOnnxScorer(7, "two.onnx")
            .AddHealthChecks().AddOnnxScorerCheck(7));
        await host.StartAsync();

        var report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();

        Assert.Equal(3, host.Services.GetRequiredKeyedService<IOnnxScorer>(DayOfWeek.Monday).Model.RowLength);
        Assert.Equal(2, host.Services.GetRequiredKeyedService<IOnnxScorer>(7).Model.RowLength);
        Assert.Equal(["scorer:7"], report.Entries.Keys);
        await host.StopAsync();
    }

    [Fact]
    public void Add_TwoKeysThatAreOneText_AreRefused()
    {
        var services = new ServiceCollection().AddKeyedOnnxScorer("7", "one.onnx");

        var exception = Assert.Throws<ArgumentException>(() => services.AddKeyedOnnxScorer(7, "two.onnx"));

        Assert.StartsWith(
            "There is a scorer with the key '7' of type String, and this one is a Int32: both would have the same options. Give one",
            exception.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_WrongOptions_SaysAllThatIsWrong()
    {
        using var host = BuildHost(services => services.AddKeyedOnnxScorer("churn", "missing.onnx", options =>
        {
            options.Device = "abacus";
            options.BatchSize = 0;
            options.ReloadInterval = TimeSpan.FromSeconds(-1);
        }));
        var exception = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.Collection(
            exception.Failures,
            failure =>
                Assert.Equal($"The scorer 'churn': ModelPath is '{_folder.File("missing.onnx")}', but there is no such file.", failure),
            failure =>
                Assert.StartsWith("The scorer 'churn': Device is wrong: 'abacus' is not a device; use ", failure, StringComparison.Ordinal),
            failure => Assert.Equal("The scorer 'churn': BatchSize is 0; give 1 or more rows.", failure),
            failure =>
                Assert.StartsWith("The scorer 'churn': ReloadInterval is -00:00:01; give a time", failure, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Start_NoPath_AsksForOne()
    {
        using var host = BuildHost(services => services.AddOnnxScorer(_ => { }));
        var exception = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.Equal("The scorer: ModelPath is empty; give the path of an ONNX file.", exception.Message);
    }

    [Fact]
    public async Task Start_FileThatIsNoModel_DoesNotStart()
    {
        _folder.Write("model.onnx", "not a model");
        using var host = BuildHost(services => services.AddOnnxScorer("model.onnx"));
        var exception = await Assert.ThrowsAsync<InvalidModelException>(() => host.StartAsync());
        Assert.Contains(_folder.File("model.onnx"), exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AddBatchNormScorer_Twice_IsOneScorerWithTheOptionsOfBoth()
    {
        WeightedSum.Write(_folder.File("model.onnx"), factor: 1);
        using var services = new ServiceCollection()
            .AddOnnxScorer(_folder.File("other.onnx"), options => options.Outputs.Add("sum"))
            .AddOnnxScorer(_folder.File("model.onnx"))
            .BuildServiceProvider();
        Assert.Equal(1, Assert.Single(services.GetServices<IOnnxScorer>()).Model.ResultLength);
    }

    private IHost BuildHost(Action<IServiceCollection> register)
    {
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { ContentRootPath = _folder.Path });
        builder.Logging.ClearProviders();
        register(builder.Services);
        return builder.Build();
    }
}
