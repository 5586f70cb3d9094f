using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace MlNetBatchNorm.Hosting;

/// <summary>
/// Scores a row of zeros. Healthy: it worked. Degraded: it worked, but a newer file or newer options were refused. Otherwise, also where
/// an answer is NaN, what the registration says of failures. The data name the model, its device, when it was loaded, and why a reload
/// was refused.
/// </summary>
internal sealed class OnnxScorerHealthCheck(IOnnxScorer scorer) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        LoadedModelInfo model;
        var result = new float[scorer.Model.ResultLength];
        try
        {
            model = scorer.Score(new float[scorer.Model.RowLength], result);
        }
        catch (Exception exception)
        {
            return Task.FromResult(
                new HealthCheckResult(
                    context.Registration.FailureStatus, $"A row of zeros cannot be scored: {exception.Message}", exception));
        }

        var failure = scorer.LastReloadFailure;
        var nan = Array.FindIndex(result, float.IsNaN);
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
        if (nan >= 0)
            return Task.FromResult(new HealthCheckResult(
                context.Registration.FailureStatus,
                $"{loaded}; it answers NaN (number {nan + 1} of {result.Length}) for a row of zeros, so its answers are worth nothing.",
                data: data));
        return Task.FromResult(failure is null
            ? HealthCheckResult.Healthy(loaded, data)
            : HealthCheckResult.Degraded($"{loaded}; not reloaded: {failure.Message}", data: data));
    }
}
