namespace Microsoft.ML.Runtime;

internal sealed class Host(MLContext context, string name, int? seed) : IHost
{
    public Random Rand { get; } = seed is { } value ? new Random(value) : new Random();
    public string ContextDescription => name;
    public ComponentCatalog ComponentCatalog => context.ComponentCatalog;
    public TException Process<TException>(TException ex) where TException : Exception => ex;
    public IHost Register(string name1, int? seed = null, bool? verbose = null) => new Host(context, $"{name}; {name1}", seed ?? Rand.Next());
    public IChannel Start(string name1) => new Channel(context, $"{name}; {name1}");
    public IPipe<TMessage> StartPipe<TMessage>(string name1) => throw new NotSupportedException("The stand-in for ML.NET has channels only.");
    public IProgressChannel StartProgressChannel(string name) => new SilentProgress();
}

/// <summary>Sends messages to the log of a context.</summary>
internal sealed class Channel(MLContext context, string name) : IChannel
{
    public string ContextDescription => name;
    public TException Process<TException>(TException ex) where TException : Exception => ex;
    public void Trace(MessageSensitivity sensitivity, string fmt) => Send(ChannelMessageKind.Trace, sensitivity, fmt);
    public void Trace(MessageSensitivity sensitivity, string fmt, params object[] args) => Send(ChannelMessageKind.Trace, sensitivity, fmt, args);
    public void Error(MessageSensitivity sensitivity, string fmt) => Send(ChannelMessageKind.Error, sensitivity, fmt);
    public void Error(MessageSensitivity sensitivity, string fmt, params object[] args) => Send(ChannelMessageKind.Error, sensitivity, fmt, args);
    public void Warning(MessageSensitivity sensitivity, string fmt) => Send(ChannelMessageKind.Warning, sensitivity, fmt);
    public void Warning(MessageSensitivity sensitivity, string fmt, params object[] args) => Send(ChannelMessageKind.Warning, sensitivity, fmt, args);
    public void Info(MessageSensitivity sensitivity, string fmt) => Send(ChannelMessageKind.Info, sensitivity, fmt);
    public void Info(MessageSensitivity sensitivity, string fmt, params object[] args) => Send(ChannelMessageKind.Info, sensitivity, fmt, args);
    public void Send(ChannelMessage msg) => context.Raise(name, msg);
    public void Dispose() { }
    private void Send(ChannelMessageKind kind, MessageSensitivity sensitivity, string format, params object[] arguments)
        => Send(new ChannelMessage(kind, sensitivity, arguments.Length == 0 ? format : string.Format(format, arguments)));
}

/// <summary>Nobody listens to the progress of a stand-in.</summary>
internal sealed class SilentProgress : IProgressChannel
{
    public IProgressChannel StartProgressChannel(string name) => this;
    public void SetHeader(ProgressHeader header, Action<IProgressEntry> fillAction) { }
    public void Checkpoint(params double?[] values) { }
    public void Dispose() { }
}
