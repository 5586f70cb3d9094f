using System.Diagnostics.Metrics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using MlNetBatchNorm.Hosting;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Scorers as services.</summary>
public static class OnnxScorerServiceCollectionExtensions
{
    /// <summary>Adds an <see cref="IOnnxScorer"/> for one model: a singleton, safe for many threads, that follows its file.</summary>
    /// <param name="services">The services.</param>
    /// <param name="modelPath">The ONNX file; see <see cref="OnnxScorerServiceOptions.ModelPath"/>.</param>
    /// <param name="configure">Further options; null (the default) = none.</param>
    public static IServiceCollection AddOnnxScorer(
        this IServiceCollection services, string modelPath, Action<OnnxScorerServiceOptions>? configure = null) =>
        services.Add(Options.Options.DefaultName, modelPath, configure);

    /// <summary>As the other, with all options by code.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the options, <see cref="OnnxScorerServiceOptions.ModelPath"/> at least.</param>
    public static IServiceCollection AddOnnxScorer(this IServiceCollection services, Action<OnnxScorerServiceOptions> configure) =>
        services.Add(Options.Options.DefaultName, options => options.Configure(configure));

    /// <summary>
    /// As the other, with the options from a section of the configuration. When the section changes, the model is loaded anew.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="section">For example <c>{ "ModelPath": "model.onnx", "Device": "auto", "ReloadInterval": "00:00:05" }</c>.</param>
    public static IServiceCollection AddOnnxScorer(this IServiceCollection services, IConfiguration section) =>
        services.Add(Options.Options.DefaultName, options => options.Bind(section));

    /// <summary>One of several models: an <see cref="IOnnxScorer"/> that is asked for with <c>[FromKeyedServices("KEY")]</c>.</summary>
    /// <param name="services">The services.</param>
    /// <param name="key">The key of the service, which is also the name of its options.</param>
    /// <param name="modelPath">The ONNX file; see <see cref="OnnxScorerServiceOptions.ModelPath"/>.</param>
    /// <param name="configure">Further options; null (the default) = none.</param>
    public static IServiceCollection AddKeyedOnnxScorer(
        this IServiceCollection services, string key, string modelPath, Action<OnnxScorerServiceOptions>? configure = null) =>
        services.Add(Named(key), modelPath, configure);

    /// <summary>As the other, with all options by code.</summary>
    /// <param name="services">The services.</param>
    /// <param name="key">The key of the service, which is also the name of its options.</param>
    /// <param name="configure">Sets the options, <see cref="OnnxScorerServiceOptions.ModelPath"/> at least.</param>
    public static IServiceCollection AddKeyedOnnxScorer(
        this IServiceCollection services, string key, Action<OnnxScorerServiceOptions> configure) =>
        services.Add(Named(key), options => options.Configure(configure));

    /// <summary>As the other, with the options from a section of the configuration.</summary>
    /// <param name="services">The services.</param>
    /// <param name="key">The key of the service, which is also the name of its options.</param>
    /// <param name="section">For example <c>{ "ModelPath": "churn.onnx" }</c>.</param>
    public static IServiceCollection AddKeyedOnnxScorer(this IServiceCollection services, string key, IConfiguration section) =>
        services.Add(Named(key), options => options.Bind(section));

    private static string Named(string key)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        return key;
    }

    private static IServiceCollection Add(
        this IServiceCollection services, string name, string modelPath, Action<OnnxScorerServiceOptions>? configure) =>
        services.Add(name, options =>
        {
            options.Configure(values => values.ModelPath = modelPath);
            if (configure is not null) options.Configure(configure);
        });

    private static IServiceCollection Add(
        this IServiceCollection services, string name, Action<OptionsBuilder<OnnxScorerServiceOptions>> set)
    {
        ArgumentNullException.ThrowIfNull(services);
        var options = services.AddOptions<OnnxScorerServiceOptions>(name);
        set(options);
        // Asked for twice, it stays one scorer, with the options of both.
        if (services.Any(service => service.ServiceType == typeof(ReloadingScorer) && Equals(service.ServiceKey, name))) return services;

        options.PostConfigure<IServiceProvider>(ResolvePath).ValidateOnStart();
        services.TryAddEnumerable(
            ServiceDescriptor.Singleton<IValidateOptions<OnnxScorerServiceOptions>, OnnxScorerServiceOptionsValidator>());
        services.AddKeyedSingleton(name, (provider, _) => new ReloadingScorer(
            name,
            provider.GetRequiredService<IOptionsMonitor<OnnxScorerServiceOptions>>(),
            provider.GetService<TimeProvider>() ?? TimeProvider.System,
            new ScorerMetrics(name, provider.GetService<IMeterFactory>()),
            provider.GetService<ILogger<IOnnxScorer>>() ?? NullLogger<IOnnxScorer>.Instance));
        if (name == Options.Options.DefaultName)
            services.AddSingleton<IOnnxScorer>(provider => provider.GetRequiredKeyedService<ReloadingScorer>(name));
        else
            services.AddKeyedSingleton<IOnnxScorer>(name, (provider, _) => provider.GetRequiredKeyedService<ReloadingScorer>(name));
        services.AddSingleton(new ScorerName(name));
        services.AddHostedService<ScorerStartup>();
        return services;
    }

    private static void ResolvePath(OnnxScorerServiceOptions options, IServiceProvider services)
    {
        if (string.IsNullOrWhiteSpace(options.ModelPath)) return;
        var root = services.GetService<IHostEnvironment>()?.ContentRootPath ?? Environment.CurrentDirectory;
        options.ModelPath = Path.GetFullPath(options.ModelPath, Path.GetFullPath(root));
    }
}
