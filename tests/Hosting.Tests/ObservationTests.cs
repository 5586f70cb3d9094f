using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace MlNetBatchNorm.Hosting.Tests;

/// <summary>What can be seen of a scorer from outside: health and metrics.</summary>
public sealed class ObservationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Health_FollowsTheModel()
    {
        using var services = Build("health");
        var health = services.GetRequiredService<HealthCheckService>();
        var scorer = services.GetRequiredKeyedService<ReloadingScorer>("health");
        var entry = await Check();
        Assert.Equal(HealthStatus.Healthy, entry.Status);
        Assert.Equal(("cpu", _folder.File("health.onnx"), 1), (entry.Data["device"], entry.Data["model"], entry.Data["generation"]));
        Assert.Equal(scorer.Model.LoadedAt, entry.Data["loadedAt"]);

        File.WriteAllText(_folder.File("health.onnx"), "not a model");
        scorer.Look();
        scorer.Look();
        entry = await Check();
        Assert.Equal(HealthStatus.Degraded, entry.Status);
        Assert.Equal(scorer.LastReloadFailure?.Message, entry.Data["reloadFailure"]);
        Assert.Contains("not reloaded", entry.Description, StringComparison.Ordinal);

        WeightedSum.Write(_folder.File("health.onnx"), factor: 2);
        scorer.Look();
        scorer.Look();
        Assert.Equal(HealthStatus.Healthy, (await Check()).Status);

        scorer.Dispose();
        Assert.Equal(HealthStatus.Unhealthy, (await Check()).Status);

        async Task<HealthReportEntry> Check() => (await health.CheckHealthAsync()).Entries["scorer:health"];
    }

    [Fact]
    public async Task Health_ModelThatAnswersNaN_IsUnhealthyAndTakesTheCure()
    {
        using var services = Build("nan", factor: float.NaN);
        var scorer = services.GetRequiredKeyedService<ReloadingScorer>("nan");
        Assert.Equal(HealthStatus.Unhealthy, (await Check()).Status);
        Assert.Contains("answers NaN", (await Check()).Description, StringComparison.Ordinal);

        // Another one like it is no worse; one that answers is taken.
        foreach (var (factor, status) in new[] { (float.NaN, HealthStatus.Unhealthy), (2f, HealthStatus.Healthy) })
        {
            WeightedSum.Write(_folder.File("nan.onnx"), factor);
            scorer.Look();
            scorer.Look();
            Assert.Equal(status, (await Check()).Status);
        }

        async Task<HealthReportEntry> Check() =>
            (await services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries["scorer:nan"];
    }

    [Fact]
    public void Reload_ModelThatAnswersNaN_IsRefusedAndTheOldOneGoesOn()
    {
        using var services = Build("broken");
        var scorer = services.GetRequiredKeyedService<ReloadingScorer>("broken");
        WeightedSum.Write(_folder.File("broken.onnx"), float.NaN);
        scorer.Look();
        scorer.Look();
        Assert.Contains("answers NaN for a row of zeros", scorer.LastReloadFailure?.Message, StringComparison.Ordinal);
        var result = new float[4];
        Assert.Equal(1, scorer.Score([1, 10, 100], result).Generation);
        Assert.Equal(321, result[0]);
    }

    [Fact]
    public void Metrics_CallsRowsAndReloads_AreCounted()
    {
        var seen = new List<(string Instrument, double Value, string? Tag)>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == OnnxScorerMeter.Name) listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        listener.Start();

        using var services = Build("metered");
        var scorer = services.GetRequiredKeyedService<ReloadingScorer>("metered");
        var result = new float[4 * 7];
        scorer.Score([1, 2, 3], result);
        scorer.ScoreBatch(new float[3 * 7], 7, result);
        Assert.Throws<ArgumentException>(() => scorer.Score([1, 2], result));
        WeightedSum.Write(_folder.File("metered.onnx"), factor: 2);
        scorer.Look();
        scorer.Look();
        File.Delete(_folder.File("metered.onnx"));
        scorer.Look();
        scorer.Look();

        Assert.Equal([1.0, 7.0], Of(OnnxScorerMeter.Rows).Select(one => one.Value));
        Assert.Equal([null, null, "System.ArgumentException"], Of(OnnxScorerMeter.Duration).Select(one => one.Tag));
        Assert.All(Of(OnnxScorerMeter.Duration), one => Assert.InRange(one.Value, 1e-9, 10));
        Assert.Equal(["taken", "refused"], Of(OnnxScorerMeter.Reloads).Select(one => one.Tag));

        IEnumerable<(string Instrument, double Value, string? Tag)> Of(string instrument) =>
            seen.Where(one => one.Instrument == instrument);

        // Other tests' scorers are heard too; only this one has the tag.
        void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            if (tags.Length > 0 && tags[0].Value is "metered")
                seen.Add((instrument.Name, value, tags.Length > 1 ? (string?)tags[1].Value : null));
        }
    }

    private ServiceProvider Build(string key, float factor = 1)
    {
        var services = new ServiceCollection().AddLogging();
        services.AddKeyedOnnxScorer(
            key, WeightedSum.Write(_folder.File($"{key}.onnx"), factor), options => options.ReloadInterval = TimeSpan.Zero);
        services.AddHealthChecks().AddOnnxScorerCheck(key);
        return services.BuildServiceProvider();
    }
}
