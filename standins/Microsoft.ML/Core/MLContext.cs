namespace Microsoft.ML;

public class LoggingEventArgs(string message) : EventArgs
{
    public LoggingEventArgs(string message, ChannelMessageKind kind, string source) : this($"[Source={source}, Kind={kind}] {message}")
        => (RawMessage, Kind, Source) = (message, kind, source);
    public string Message { get; } = message;
    public string RawMessage { get; }
    public ChannelMessageKind Kind { get; }
    public string Source { get; }
}

public sealed class MLContext : IHostEnvironment
{
    private readonly Dictionary<string, object> _options = [];

    public MLContext(int? seed = null)
    {
        Seed = seed;
        (Data, Model, Transforms) = (new DataOperationsCatalog(this), new ModelOperationsCatalog(this), new TransformsCatalog(this));
        BinaryClassification = new BinaryClassificationCatalog(this);
        MulticlassClassification = new MulticlassClassificationCatalog(this);
        Regression = new RegressionCatalog(this);
    }

    public event EventHandler<LoggingEventArgs> Log;
    public DataOperationsCatalog Data { get; }
    public ModelOperationsCatalog Model { get; }
    public TransformsCatalog Transforms { get; }
    public BinaryClassificationCatalog BinaryClassification { get; }
    public MulticlassClassificationCatalog MulticlassClassification { get; }
    public RegressionCatalog Regression { get; }
    public ComponentCatalog ComponentCatalog { get; } = new();
    public bool FallbackToCpu { get; set; } = true;
    public int? GpuDeviceId { get; set; }
    string IExceptionContext.ContextDescription => nameof(MLContext);
    internal int? Seed { get; }
    public void SetOption<T>(string name, T value) => _options[name] = value;
    public T GetOptionOrDefault<T>(string name) => _options.TryGetValue(name, out var value) ? (T)value : default;
    TException IExceptionContext.Process<TException>(TException ex) => ex;
    IHost IHostEnvironment.Register(string name, int? seed, bool? verbose) => new Host(this, name, seed ?? Seed);
    IChannel IChannelProvider.Start(string name) => new Channel(this, name);
    internal void Raise(string source, ChannelMessageKind kind, string message) => Log?.Invoke(this, new LoggingEventArgs(message, kind, source));
}
