namespace Microsoft.ML.Runtime;

/// <summary>A named source of messages to the log of a context.</summary>
internal abstract class MessageSource(MLContext context, string name) : IExceptionContext
{
    protected MLContext Context { get; } = context;

    protected string Name { get; } = name;

    public string ContextDescription => Name;

    public TException Process<TException>(TException ex) where TException : Exception => ex;
}

internal sealed class Host(MLContext context, string name, int? seed) : MessageSource(context, name), IHost
{
    public Random Rand { get; } = seed is { } value ? new Random(value) : new Random();

    public ComponentCatalog ComponentCatalog => Context.ComponentCatalog;

    public IHost Register(string name, int? seed = null, bool? verbose = null)
        => new Host(Context, $"{Name}; {name}", seed ?? (Context.Seed is null ? null : Rand.Next()));

    public IChannel Start(string name) => new Channel(Context, $"{Name}; {name}");

    public IPipe<TMessage> StartPipe<TMessage>(string name) => new Pipe<TMessage>(Context, $"{Name}; {name}");

    public IProgressChannel StartProgressChannel(string name) => new SilentProgress();
}

internal class Pipe<TMessage>(MLContext context, string name) : MessageSource(context, name), IPipe<TMessage>
{
    public void Send(TMessage msg)
    {
        if (msg is ChannelMessage message)
            Context.Raise(Name, message);
    }

    public void Dispose()
    {
    }
}

internal sealed class Channel(MLContext context, string name) : Pipe<ChannelMessage>(context, name), IChannel
{
    public void Trace(MessageSensitivity sensitivity, string fmt) => Send(ChannelMessageKind.Trace, sensitivity, fmt);

    public void Trace(MessageSensitivity sensitivity, string fmt, params object[] args) => Send(ChannelMessageKind.Trace, sensitivity, fmt, args);

    public void Error(MessageSensitivity sensitivity, string fmt) => Send(ChannelMessageKind.Error, sensitivity, fmt);

    public void Error(MessageSensitivity sensitivity, string fmt, params object[] args) => Send(ChannelMessageKind.Error, sensitivity, fmt, args);

    public void Warning(MessageSensitivity sensitivity, string fmt) => Send(ChannelMessageKind.Warning, sensitivity, fmt);

    public void Warning(MessageSensitivity sensitivity, string fmt, params object[] args)
        => Send(ChannelMessageKind.Warning, sensitivity, fmt, args);

    public void Info(MessageSensitivity sensitivity, string fmt) => Send(ChannelMessageKind.Info, sensitivity, fmt);

    public void Info(MessageSensitivity sensitivity, string fmt, params object[] args) => Send(ChannelMessageKind.Info, sensitivity, fmt, args);

    private void Send(ChannelMessageKind kind, MessageSensitivity sensitivity, string format, params object[] arguments)
        => Send(new ChannelMessage(kind, sensitivity, arguments.Length == 0 ? format : string.Format(format, arguments)));
}

/// <summary>Nobody listens to the progress of a stand-in.</summary>
internal sealed class SilentProgress : IProgressChannel
{
    public IProgressChannel StartProgressChannel(string name) => this;

    public void SetHeader(ProgressHeader header, Action<IProgressEntry> fillAction)
    {
    }

    public void Checkpoint(params double?[] values)
    {
    }

    public void Dispose()
    {
    }
}
