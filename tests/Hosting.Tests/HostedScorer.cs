using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace MlNetBatchNorm.Hosting.Tests;

/// <summary>A scorer of <c>model.onnx</c> in a folder of its own, which looks at the file when it is told to.</summary>
internal sealed class HostedScorer : IDisposable
{
    private readonly ServiceProvider _services;

    public HostedScorer(Action<OnnxScorerServiceOptions>? configure = null, Action<IServiceCollection, TemporaryFolder>? register = null)
    {
        WeightedSum.Write(ModelPath, factor: 1);
        var services = new ServiceCollection();
        services.AddSingleton<ILogger<IOnnxScorer>>(Log);
        if (register is not null) register(services, Folder);
        else services.AddOnnxScorer(ModelPath, options => options.ReloadInterval = TimeSpan.Zero);
        if (configure is not null) services.Configure(configure);
        _services = services.BuildServiceProvider();
        Scorer = (ReloadingScorer)_services.GetRequiredService<IOnnxScorer>();
    }

    public TemporaryFolder Folder { get; } = new();

    public RecordedLog Log { get; } = new();

    public ReloadingScorer Scorer { get; }

    public string ModelPath => Folder.File("model.onnx");

    /// <summary>The sum that the model in use gives for 1, 10, 100: 321 times its factor.</summary>
    public float Sum()
    {
        var result = new float[4];
        Scorer.Score([1, 10, 100], result);
        return result[0];
    }

    /// <summary>Two looks: the second one takes what the first one saw.</summary>
    public void LookTwice()
    {
        Scorer.Look();
        Scorer.Look();
    }

    public void Dispose()
    {
        _services.Dispose();
        Folder.Dispose();
    }
}
