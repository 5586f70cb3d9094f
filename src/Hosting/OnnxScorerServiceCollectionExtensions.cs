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
    // The options of a scorer of named columns without a key, beside those of one of numbers.
    private const string BatchNormName = "batchnorm";

    /// <summary>Adds an <see cref="IOnnxScorer"/> for one model: a singleton, safe for many threads, that follows its file.</summary>
    /// <param name="services">The services.</param>
    /// <param name="modelPath">The ONNX file; see <see cref="OnnxScorerServiceOptions.ModelPath"/>.</param>
    /// <param name="configure">Further options; null (the default) = none.</param>
    public static IServiceCollection AddOnnxScorer(
        this IServiceCollection services, string modelPath, Action<OnnxScorerServiceOptions>? configure = null) =>
        services.Add(null, modelPath, configure);

    /// <summary>As the other, with all options by code.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the options, <see cref="OnnxScorerServiceOptions.ModelPath"/> at least.</param>
    public static IServiceCollection AddOnnxScorer(this IServiceCollection services, Action<OnnxScorerServiceOptions> configure) =>
        services.Add(null, options => options.Configure(configure));

    /// <summary>
    /// As the other, with the options from a section of the configuration. When the section changes, the model is loaded anew.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="section">For example <c>{ "ModelPath": "model.onnx", "Device": "auto", "ReloadInterval": "00:00:05" }</c>.</param>
    public static IServiceCollection AddOnnxScorer(this IServiceCollection services, IConfiguration section) =>
        services.Add(null, options => options.Bind(section));

    /// <summary>One of several models: an <see cref="IOnnxScorer"/> that is asked for with <c>[FromKeyedServices("KEY")]</c>.</summary>
    /// <param name="services">The services.</param>
    /// <param name="serviceKey">The key of the service, a text or anything else; what it is as a text names its options.</param>
    /// <param name="modelPath">The ONNX file; see <see cref="OnnxScorerServiceOptions.ModelPath"/>.</param>
    /// <param name="configure">Further options; null (the default) = none.</param>
    public static IServiceCollection AddKeyedOnnxScorer(
        this IServiceCollection services, object serviceKey, string modelPath, Action<OnnxScorerServiceOptions>? configure = null) =>
        services.Add(serviceKey ?? throw new ArgumentNullException(nameof(serviceKey)), modelPath, configure);

    /// <summary>As the other, with all options by code.</summary>
    /// <param name="services">The services.</param>
    /// <param name="serviceKey">The key of the service, a text or anything else; what it is as a text names its options.</param>
    /// <param name="configure">Sets the options, <see cref="OnnxScorerServiceOptions.ModelPath"/> at least.</param>
    public static IServiceCollection AddKeyedOnnxScorer(
        this IServiceCollection services, object serviceKey, Action<OnnxScorerServiceOptions> configure) =>
        services.Add(serviceKey ?? throw new ArgumentNullException(nameof(serviceKey)), options => options.Configure(configure));

    /// <summary>As the other, with the options from a section of the configuration.</summary>
    /// <param name="services">The services.</param>
    /// <param name="serviceKey">The key of the service, a text or anything else; what it is as a text names its options.</param>
    /// <param name="section">For example <c>{ "ModelPath": "churn.onnx" }</c>.</param>
    public static IServiceCollection AddKeyedOnnxScorer(this IServiceCollection services, object serviceKey, IConfiguration section) =>
        services.Add(serviceKey ?? throw new ArgumentNullException(nameof(serviceKey)), options => options.Bind(section));

    /// <summary>
    /// Adds an <see cref="IBatchNormScorer"/> for one model, which is given rows by the names of their columns: a <c>model.onnx</c> or a
    /// <c>pipeline.onnx</c> of <c>mlnetbn train</c>, or a whole pipeline of <c>ConvertToFoldedOnnx</c>. A singleton, safe for many threads,
    /// that follows its file as an <see cref="IOnnxScorer"/> does.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="modelPath">The ONNX file; see <see cref="OnnxScorerServiceOptions.ModelPath"/>.</param>
    /// <param name="configure">Further options; null (the default) = none.</param>
    public static IServiceCollection AddBatchNormScorer(
        this IServiceCollection services, string modelPath, Action<OnnxScorerServiceOptions>? configure = null) =>
        services.AddNamed(null, SetTo(modelPath, configure));

    /// <summary>As the other, with the options from a section of the configuration.</summary>
    /// <param name="services">The services.</param>
    /// <param name="section">For example <c>{ "ModelPath": "pipeline.onnx" }</c>.</param>
    public static IServiceCollection AddBatchNormScorer(this IServiceCollection services, IConfiguration section) =>
        services.AddNamed(null, options => options.Bind(section));

    /// <summary>
    /// One of several models: an <see cref="IBatchNormScorer"/> that is asked for with <c>[FromKeyedServices("KEY")]</c>.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="serviceKey">The key of the service, a text or anything else; what it is as a text names its options.</param>
    /// <param name="modelPath">The ONNX file; see <see cref="OnnxScorerServiceOptions.ModelPath"/>.</param>
    /// <param name="configure">Further options; null (the default) = none.</param>
    public static IServiceCollection AddKeyedBatchNormScorer(
        this IServiceCollection services, object serviceKey, string modelPath, Action<OnnxScorerServiceOptions>? configure = null) =>
        services.AddNamed(serviceKey ?? throw new ArgumentNullException(nameof(serviceKey)), SetTo(modelPath, configure));

    private static IServiceCollection Add(
        this IServiceCollection services, object? key, string modelPath, Action<OnnxScorerServiceOptions>? configure) =>
        services.Add(key, SetTo(modelPath, configure));

    private static Action<OptionsBuilder<OnnxScorerServiceOptions>> SetTo(
        string modelPath, Action<OnnxScorerServiceOptions>? configure) => options =>
    {
        options.Configure(values => values.ModelPath = modelPath);
        if (configure is not null) options.Configure(configure);
    };

    private static IServiceCollection Add(
        this IServiceCollection services, object? key, Action<OptionsBuilder<OnnxScorerServiceOptions>> set) =>
        services.Add<IOnnxScorer, ReloadingScorer>(
            key, Options.Options.DefaultName, set, (name, provider) => new ReloadingScorer(
                name,
                provider.GetRequiredService<IOptionsMonitor<OnnxScorerServiceOptions>>(),
                provider.GetService<TimeProvider>() ?? TimeProvider.System,
                new ScorerMetrics(name, provider.GetService<IMeterFactory>()),
                provider.GetService<ILogger<IOnnxScorer>>() ?? NullLogger<IOnnxScorer>.Instance));

    private static IServiceCollection AddNamed(
        this IServiceCollection services, object? key, Action<OptionsBuilder<OnnxScorerServiceOptions>> set) =>
        services.Add<IBatchNormScorer, ReloadingBatchNormScorer>(
            key, BatchNormName, set, (name, provider) => new ReloadingBatchNormScorer(
                name,
                provider.GetRequiredService<IOptionsMonitor<OnnxScorerServiceOptions>>(),
                provider.GetService<TimeProvider>() ?? TimeProvider.System,
                new ScorerMetrics(name, provider.GetService<IMeterFactory>()),
                provider.GetService<ILogger<IBatchNormScorer>>() ?? NullLogger<IBatchNormScorer>.Instance));

    private static IServiceCollection Add<TService, TScorer>(
        this IServiceCollection services,
        object? key,
        string nameWithoutKey,
        Action<OptionsBuilder<OnnxScorerServiceOptions>> set,
        Func<string, IServiceProvider, TScorer> create)
        where TService : class
        where TScorer : class, TService
    {
        ArgumentNullException.ThrowIfNull(services);
        var name = NameOf(services, key, nameWithoutKey, typeof(TScorer));
        var options = services.AddOptions<OnnxScorerServiceOptions>(name);
        set(options);
        // Asked for twice, it stays one scorer, with the options of both.
        if (services.Any(service => service.ServiceType == typeof(TScorer) && Equals(service.ServiceKey, name))) return services;

        options.PostConfigure<IServiceProvider>(ResolvePath).ValidateOnStart();
        services.TryAddEnumerable(
            ServiceDescriptor.Singleton<IValidateOptions<OnnxScorerServiceOptions>, OnnxScorerServiceOptionsValidator>());
        services.AddKeyedSingleton(name, (provider, _) => create(name, provider));
        if (key is null)
            services.AddSingleton<TService>(provider => provider.GetRequiredKeyedService<TScorer>(name));
        else
            services.AddKeyedSingleton<TService>(key, (provider, _) => provider.GetRequiredKeyedService<TScorer>(name));
        services.AddSingleton(new ScorerName(name, key, typeof(TScorer)));
        services.AddHostedService<ScorerStartup>();
        return services;
    }

    // Options, metrics and messages know a scorer by a text.
    private static string NameOf(IServiceCollection services, object? key, string nameWithoutKey, Type kind)
    {
        var name = key is null ? nameWithoutKey : key.ToString();
        if (key is null && name?.Length == 0) return name;
        if (string.IsNullOrEmpty(name)) throw new ArgumentException("The key of a scorer must be something as a text.", nameof(key));
        var other = services.Where(service => !service.IsKeyedService)
            .Select(service => service.ImplementationInstance).OfType<ScorerName>()
            .FirstOrDefault(known => known.Value == name && !(Equals(known.Key, key) && known.Kind == kind));
        if (other is null) return name;
        throw new ArgumentException(
            other.Kind == kind && other.Key is not null && key is not null
                ? $"There is a scorer with the key '{name}' of type {other.Key.GetType().Name}, and this one is a {key.GetType().Name}: "
                    + "both would have the same options. Give one of them another key."
                : $"There is a scorer of another kind with the name '{name}': both would have the same options. Give one of them another "
                    + "key.",
            nameof(key));
    }

    private static void ResolvePath(OnnxScorerServiceOptions options, IServiceProvider services)
    {
        if (string.IsNullOrWhiteSpace(options.ModelPath)) return;
        var root = services.GetService<IHostEnvironment>()?.ContentRootPath ?? Environment.CurrentDirectory;
        options.ModelPath = Path.GetFullPath(options.ModelPath, Path.GetFullPath(root));
    }
}
