using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace MlNetBatchNorm.Hosting;

/// <summary>How a scorer is tried.</summary>
/// <param name="Row">What it is given, for people.</param>
/// <param name="Score">Scores that; says by which model, and which number of the answer is NaN, if one is.</param>
/// <param name="Failure">Why a newer file was not taken.</param>
internal sealed record ScorerProbe(
    string Row, Func<(LoadedModelInfo Model, string? NaN)> Score, Func<ReloadFailure?> Failure)
{
    public static ScorerProbe Of(IOnnxScorer scorer) => new(
        "a row of zeros",
        () =>
        {
            var result = new float[scorer.Model.ResultLength];
            var model = scorer.Score(new float[scorer.Model.RowLength], result);
            var nan = Array.FindIndex(result, float.IsNaN);
            return (model, nan < 0 ? null : $" (number {nan + 1} of {result.Length})");
        },
        () => scorer.LastReloadFailure);

    public static ScorerProbe Of(ReloadingBatchNormScorer scorer) => new(
        "a row without values",
        () =>
        {
            var (prediction, model) = scorer.ScoreBlank();
            return (model, ReloadingBatchNormScorer.AnswersNaN(prediction) ? string.Empty : null);
        },
        () => scorer.LastReloadFailure);
}

/// <summary>
/// Scores a row of zeros, or without values. Healthy: it worked. Degraded: it worked, but a newer file or newer options were refused.
/// Otherwise, also where an answer is NaN, what the registration says of failures. The data name the model, its device, when it was loaded,
/// and why a reload was refused.
/// </summary>
internal sealed class OnnxScorerHealthCheck(ScorerProbe probe) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        LoadedModelInfo model;
        string? nan;
        try
        {
            (model, nan) = probe.Score();
        }
        catch (Exception exception)
        {
            return Task.FromResult(
                new HealthCheckResult(
                    context.Registration.FailureStatus,
                    $"{char.ToUpperInvariant(probe.Row[0])}{probe.Row[1..]} cannot be scored: {exception.Message}",
                    exception));
        }

        var failure = probe.Failure();
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
        if (nan is not null)
            return Task.FromResult(new HealthCheckResult(
                context.Registration.FailureStatus,
                $"{loaded}; it answers NaN{nan} for {probe.Row}, so its answers are worth nothing.",
                data: data));
        return Task.FromResult(failure is null
            ? HealthCheckResult.Healthy(loaded, data)
            : HealthCheckResult.Degraded($"{loaded}; not reloaded: {failure.Message}", data: data));
    }
}
