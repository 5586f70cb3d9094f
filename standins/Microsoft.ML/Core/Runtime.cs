namespace Microsoft.ML.Runtime;

public interface IExceptionContext
{
    string ContextDescription { get; }
    TException Process<TException>(TException ex) where TException : Exception;
}

public interface IChannelProvider : IExceptionContext
{
    IChannel Start(string name);
    IPipe<TMessage> StartPipe<TMessage>(string name);
}

public interface IProgressChannelProvider
{
    IProgressChannel StartProgressChannel(string name);
}

public interface IHostEnvironment : IChannelProvider, IProgressChannelProvider
{
    ComponentCatalog ComponentCatalog { get; }
    IHost Register(string name, int? seed = null, bool? verbose = null);
}

public interface IHost : IHostEnvironment
{
    Random Rand { get; }
}

public interface IPipe<TMessage> : IExceptionContext, IDisposable
{
    void Send(TMessage msg);
}

public interface IChannel : IPipe<ChannelMessage>
{
    void Trace(MessageSensitivity sensitivity, string fmt);
    void Trace(MessageSensitivity sensitivity, string fmt, params object[] args);
    void Error(MessageSensitivity sensitivity, string fmt);
    void Error(MessageSensitivity sensitivity, string fmt, params object[] args);
    void Warning(MessageSensitivity sensitivity, string fmt);
    void Warning(MessageSensitivity sensitivity, string fmt, params object[] args);
    void Info(MessageSensitivity sensitivity, string fmt);
    void Info(MessageSensitivity sensitivity, string fmt, params object[] args);
}

public interface IProgressChannel : IProgressChannelProvider, IDisposable
{
    void SetHeader(ProgressHeader header, Action<IProgressEntry> fillAction);
    void Checkpoint(params double?[] values);
}

public interface IProgressEntry
{
    void SetProgress(int index, double value);
    void SetProgress(int index, double value, double lim);
    void SetMetric(int index, double value);
}

public sealed class ProgressHeader(string[] metricNames, string[] unitNames)
{
    public readonly IReadOnlyList<string> UnitNames = unitNames ?? [];
    public readonly IReadOnlyList<string> MetricNames = metricNames ?? [];
    public ProgressHeader(params string[] unitNames) : this(null, unitNames) { }
}

public enum ChannelMessageKind
{
    Trace = 0,
    Info = 1,
    Warning = 2,
    Error = 3,
}

[Flags]
public enum MessageSensitivity
{
    None = 0,
    UserData = 1,
    Schema = 2,
    Unknown = -1,
    All = -1,
}

public readonly struct ChannelMessage
{
    public readonly ChannelMessageKind Kind;
    public readonly MessageSensitivity Sensitivity;
    internal ChannelMessage(ChannelMessageKind kind, MessageSensitivity sensitivity, string message)
        => (Kind, Sensitivity, Message) = (kind, sensitivity, message);
    public string Message { get; }
}
