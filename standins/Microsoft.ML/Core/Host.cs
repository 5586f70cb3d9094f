namespace Microsoft.ML.Runtime;

internal sealed class Host(MLContext context, string name, int? seed) : IHost
{
    public Random Rand { get; } = seed is { } value ? new Random(value) : new Random();
    public string ContextDescription => name;
    public ComponentCatalog ComponentCatalog => context.ComponentCatalog;
    public TException Process<TException>(TException ex) where TException : Exception => ex;
    public IHost Register(string name1, int? seed = null, bool? verbose = null) => new Host(context, $"{name}; {name1}", seed ?? Rand.Next());
    public IChannel Start(string name1) => new Channel(context, $"{name}; {name1}");
}

/// <summary>Sends messages to the log of a context.</summary>
internal sealed class Channel(MLContext context, string name) : IChannel
{
    public string ContextDescription => name;
    public TException Process<TException>(TException ex) where TException : Exception => ex;
    public void Trace(MessageSensitivity sensitivity, string fmt) => Send(ChannelMessageKind.Trace, fmt);
    public void Trace(MessageSensitivity sensitivity, string fmt, params object[] args) => Send(ChannelMessageKind.Trace, fmt, args);
    public void Error(MessageSensitivity sensitivity, string fmt) => Send(ChannelMessageKind.Error, fmt);
    public void Error(MessageSensitivity sensitivity, string fmt, params object[] args) => Send(ChannelMessageKind.Error, fmt, args);
    public void Warning(MessageSensitivity sensitivity, string fmt) => Send(ChannelMessageKind.Warning, fmt);
    public void Warning(MessageSensitivity sensitivity, string fmt, params object[] args) => Send(ChannelMessageKind.Warning, fmt, args);
    public void Info(MessageSensitivity sensitivity, string fmt) => Send(ChannelMessageKind.Info, fmt);
    public void Info(MessageSensitivity sensitivity, string fmt, params object[] args) => Send(ChannelMessageKind.Info, fmt, args);
    public void Dispose() { }
    private void Send(ChannelMessageKind kind, string format, params object[] arguments)
        => context.Raise(name, kind, arguments.Length == 0 ? format : string.Format(format, arguments));
}
