using System.Diagnostics;
using System.Diagnostics.Metrics;
using MlNetBatchNorm.Hosting;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace ScoringApi;

/// <summary>
/// What the service tells of itself by OpenTelemetry: traces and metrics of its own, of ASP.NET Core, Kestrel and .NET, and those of the
/// scorer. <c>GET /metrics</c> has them for Prometheus, and <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> is where they are sent to.
/// </summary>
internal sealed class ScoringTelemetry
{
    public const string Name = "ScoringApi";

    private static readonly ActivitySource Source = new(Name);

    private readonly UpDownCounter<long> _waiting;
    private readonly Histogram<int> _run;
    private readonly Counter<long> _refused;

    public ScoringTelemetry(IMeterFactory meters)
    {
        var meter = meters.Create(Name);
        _waiting = meter.CreateUpDownCounter<long>("scoring.waiting", "{row}", "Rows that wait for a run of the model.");
        _run = meter.CreateHistogram(
            "scoring.run.rows", "{row}", "Rows in a run of the model.", tags: null,
            new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] });
        _refused = meter.CreateCounter<long>("scoring.refused", "{request}", "Requests refused for want of room.");
    }

    /// <summary>The scoring of a request, from its wait to its answer, within the trace of the request.</summary>
    public static Activity? Begin(int rows) => Source.StartActivity("score")?.SetTag("scoring.rows", rows);

    public void Waiting(int rows) => _waiting.Add(rows);

    public void Ran(int rows) => _run.Record(rows);

    public BusyException Refuse(BusyException refusal)
    {
        _refused.Add(1);
        return refusal;
    }

    public static void Add(WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<ScoringTelemetry>();
        var telemetry = builder.Services.AddOpenTelemetry()
            .WithMetrics(metrics => metrics
                .AddMeter(Name, OnnxScorerMeter.Name, "System.Runtime")
                .AddAspNetCoreInstrumentation()
                .AddPrometheusExporter())
            .WithTracing(traces => traces
                .AddSource(Name)
                // Probes and scrapes come every few seconds, and say nothing.
                .AddAspNetCoreInstrumentation(options => options.Filter = context => !IsProbe(context.Request.Path)));
        if (string.IsNullOrEmpty(builder.Configuration["OTEL_SERVICE_NAME"]))
            telemetry.ConfigureResource(resource => resource.AddService("scoring-api", serviceVersion: ScoringService.Version));
        // Endpoint, protocol, headers and intervals are those of OpenTelemetry's own variables.
        if (!string.IsNullOrEmpty(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"])) telemetry.UseOtlpExporter();
    }

    private static bool IsProbe(PathString path) =>
        path.StartsWithSegments("/metrics") || path.StartsWithSegments("/health") || path.StartsWithSegments("/v2/health");
}
