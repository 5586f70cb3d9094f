using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Mvc;
using ScoringApi.OpenInference;

namespace ScoringApi;

/// <summary>Puts the service together.</summary>
public static class ScoringService
{
    internal static string Version { get; } = typeof(ScoringService).Assembly.GetName().Version!.ToString(fieldCount: 3);

    /// <summary>Builds the service; it listens once it is started.</summary>
    /// <param name="args">Settings, such as <c>--urls http://127.0.0.1:8080 --Scorer:ModelPath model.onnx</c>.</param>
    public static WebApplication Build(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.ListenForGrpc();
        builder.Services.AddOnnxScorer(builder.Configuration.GetSection("Scorer"));
        builder.Services.AddHealthChecks().AddOnnxScorerCheck();
        builder.AddColumnScoring();
        var limits = builder.Configuration.GetSection("Limits");
        builder.Services.AddOptions<Limits>().Bind(limits)
            .Validate(given => given.AreUsable, "Limits: every number and time must be above 0 (ParallelRuns and RetryAfter may be 0).")
            .ValidateOnStart();
        builder.Services.AddSingleton<JoinedScoring>();
        builder.Services.Configure<OpenInferenceOptions>(builder.Configuration.GetSection("OpenInference"));
        builder.Services.AddSingleton<InferenceModel>();
        var bodyBytes = (limits.Get<Limits>() ?? new()).BodyBytes;
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = bodyBytes);
        builder.Services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = bodyBytes);
        builder.Services.AddRequestDecompression();
        ScoringTelemetry.Add(builder);
        builder.Services.AddOpenApi();
        builder.Services.ConfigureHttpJsonOptions(options =>
        {
            options.SerializerOptions.TypeInfoResolverChain.Insert(0, ScoringJson.Default);
            options.SerializerOptions.TypeInfoResolverChain.Insert(1, OpenInferenceJson.Shared);
            // This is no HTML: a plus sign may stay one.
            options.SerializerOptions.Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;
        });
        // Requests that have begun may take this long to end after the service was asked to stop.
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(20));

        // Every error is a ProblemDetails (RFC 9457); what is wrong with a request is said to whoever sent it.
        builder.Services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        builder.Services.AddProblemDetails(options => options.CustomizeProblemDetails = context =>
        {
            if (context.Exception is { } exception && ServiceErrors.IsExplained(exception))
                context.ProblemDetails.Detail = ServiceErrors.Explain(context.HttpContext, exception);
        });

        var app = builder.Build();
        app.UseExceptionHandler(new ExceptionHandlerOptions
        {
            StatusCodeSelector = ServiceErrors.StatusOf,
            SuppressDiagnosticsCallback = context => ServiceErrors.IsExplained(context.Exception),
        });
        app.UseStatusCodePages();
        app.UseOpenInferenceErrors();
        app.UseRequestDecompression();
        app.MapOpenApi();
        app.MapHealthChecks("/health", new() { ResponseWriter = HealthResponse.WriteAsync });
        app.MapPrometheusScrapingEndpoint();
        app.MapScoring();
        app.MapColumnScoring();
        app.MapOpenInference();
        // A message that is too large is refused by gRPC itself, in its own words.
        app.MapGrpcService<GrpcService>().WithMetadata(new DisableRequestSizeLimitAttribute());
        return app;
    }
}
