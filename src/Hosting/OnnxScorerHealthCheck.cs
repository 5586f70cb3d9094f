using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace MlNetBatchNorm.Hosting;

/// <summary>
/// Scores a row of zeros. Healthy: it worked. Degraded: it worked, but a newer file or newer options were refused. Otherwise what the
/// registration says of failures. The data name the model, its device, when it was loaded, and why a reload was refused.
/// </summary>
internal sealed class OnnxScorerHealthCheck(IOnnxScorer scorer) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        LoadedModelInfo model;
        try
        {
            model = scorer.Score(new float[scorer.Model.RowLength], new float[scorer.Model.ResultLength]);
        }
        catch (Exception exception)
        {
            return Task.FromResult(
                new HealthCheckResult(
                    context.Registration.FailureStatus, $"A row of zeros cannot be scored: {exception.Message}", exception));
        }

        var failure = scorer.LastReloadFailure;
        var data = new Dictionary<string, object>
        {
            ["model"] = model.Path,
            ["generation"] = model.Generation,
            ["device"] = model.Device.ToString(),
            ["loadedAt"] = model.LoadedAt,
        };
        if (failure is not null)
        {
            data["reloadFailedAt"] = failure.At;
            data["reloadFailure"] = failure.Message;
        }

        var loaded = string.Create(
            CultureInfo.InvariantCulture, $"generation {model.Generation} on {model.Device}, loaded at {model.LoadedAt:O}");
        return Task.FromResult(failure is null
            ? HealthCheckResult.Healthy(loaded, data)
            : HealthCheckResult.Degraded($"{loaded}; not reloaded: {failure.Message}", data: data));
    }
}
