using Microsoft.Extensions.Diagnostics.HealthChecks;
using MlNetBatchNorm.Hosting;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Health checks of scorers.</summary>
public static class OnnxScorerHealthChecksBuilderExtensions
{
    /// <summary>
    /// Adds a check that scores a row of zeros and tells the model, its device, when it was loaded, and why the last reload was refused, if
    /// it was; the check is then degraded, since the old model goes on.
    /// </summary>
    /// <param name="builder">The health checks.</param>
    /// <param name="serviceKey">The key of the scorer; null (the default) = the one without a key.</param>
    /// <param name="name">The name of the check; null (the default) = <c>scorer</c>, or <c>scorer:KEY</c>.</param>
    /// <param name="failureStatus">What it means that the row cannot be scored; null (the default) = unhealthy.</param>
    /// <param name="tags">The tags of the check.</param>
    public static IHealthChecksBuilder AddOnnxScorerCheck(
        this IHealthChecksBuilder builder, object? serviceKey = null, string? name = null, HealthStatus? failureStatus = null,
        IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new HealthCheckRegistration(
            name ?? (serviceKey is null ? "scorer" : $"scorer:{serviceKey}"),
            services => new OnnxScorerHealthCheck(ScorerProbe.Of(Find<IOnnxScorer>(services, serviceKey))),
            failureStatus,
            tags));
    }

    /// <summary>
    /// The same for an <see cref="IBatchNormScorer"/> that <c>AddBatchNormScorer</c> registered; the row that is scored has no values.
    /// </summary>
    /// <param name="builder">The health checks.</param>
    /// <param name="serviceKey">The key of the scorer; null (the default) = the one without a key.</param>
    /// <param name="name">The name of the check; null (the default) = <c>batchnorm</c>, or <c>batchnorm:KEY</c>.</param>
    /// <param name="failureStatus">What it means that the row cannot be scored; null (the default) = unhealthy.</param>
    /// <param name="tags">The tags of the check.</param>
    public static IHealthChecksBuilder AddBatchNormScorerCheck(
        this IHealthChecksBuilder builder, object? serviceKey = null, string? name = null, HealthStatus? failureStatus = null,
        IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new HealthCheckRegistration(
            name ?? (serviceKey is null ? "batchnorm" : $"batchnorm:{serviceKey}"),
            services => new OnnxScorerHealthCheck(
                ScorerProbe.Of((ReloadingBatchNormScorer)Find<IBatchNormScorer>(services, serviceKey))),
            failureStatus,
            tags));
    }

    private static TService Find<TService>(IServiceProvider services, object? key)
        where TService : notnull =>
        key is null ? services.GetRequiredService<TService>() : services.GetRequiredKeyedService<TService>(key);
}
