using System.Text.Encodings.Web;

namespace ScoringApi;

/// <summary>Puts the service together.</summary>
public static class ScoringService
{
    /// <summary>Builds the service; it listens once it is started.</summary>
    /// <param name="args">Settings, such as <c>--urls http://127.0.0.1:8080 --Scorer:ModelPath model.onnx</c>.</param>
    public static WebApplication Build(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.Services.AddOnnxScorer(builder.Configuration.GetSection("Scorer"));
        builder.Services.AddHealthChecks().AddOnnxScorerCheck();
        builder.AddColumnScoring();
        builder.Services.Configure<Limits>(builder.Configuration.GetSection("Limits"));
        builder.Services.AddOpenApi();
        builder.Services.ConfigureHttpJsonOptions(options =>
        {
            options.SerializerOptions.TypeInfoResolverChain.Insert(0, ScoringJson.Default);
            // This is no HTML: a plus sign may stay one.
            options.SerializerOptions.Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;
        });
        // Requests that have begun may take this long to end after the service was asked to stop.
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(20));

        // Every error is a ProblemDetails (RFC 9457); what is wrong with a body is said to whoever sent it.
        builder.Services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        builder.Services.AddProblemDetails(options => options.CustomizeProblemDetails = context =>
        {
            if (context.Exception is BadHttpRequestException bad) context.ProblemDetails.Detail = (bad.InnerException ?? bad).Message;
        });

        var app = builder.Build();
        app.UseExceptionHandler(new ExceptionHandlerOptions
        {
            StatusCodeSelector = exception =>
                exception is BadHttpRequestException bad ? bad.StatusCode : StatusCodes.Status500InternalServerError,
            SuppressDiagnosticsCallback = context => context.Exception is BadHttpRequestException,
        });
        app.UseStatusCodePages();
        app.MapOpenApi();
        app.MapHealthChecks("/health", new() { ResponseWriter = HealthResponse.WriteAsync });
        app.MapScoring();
        app.MapColumnScoring();
        return app;
    }
}
