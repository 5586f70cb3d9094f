using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace MlNetBatchNorm.Hosting;

/// <summary>
/// Loads all models when the host starts: a bad one keeps the service from starting, and the first request finds a warm one.
/// </summary>
internal sealed class ScorerStartup(IServiceProvider services, IEnumerable<ScorerName> names) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var name in names)
        {
            cancellationToken.ThrowIfCancellationRequested();
            services.GetRequiredKeyedService(name.Kind, name.Value);
        }

        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

/// <summary>A registered scorer: the name of its options, its key, and what it is.</summary>
internal sealed record ScorerName(string Value, object? Key, Type Kind);
