using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using MlNetBatchNorm.Onnx;

namespace MlNetBatchNorm.Hosting;

/// <summary>What a service is made of that scores.</summary>
/// <typeparam name="TScorer">What scores.</typeparam>
/// <param name="Load">Loads a file.</param>
/// <param name="Describe">Says what is known of it, of which generation it is, and when it was loaded.</param>
/// <param name="AnswersNaN">Whether it answers NaN to a row of zeros, or without values.</param>
internal sealed record ScorerKind<TScorer>(
    Func<string, OnnxScorerOptions, TScorer> Load,
    Func<TScorer, string, int, DateTimeOffset, LoadedModelInfo> Describe,
    Func<TScorer, bool> AnswersNaN);

/// <summary>
/// Holds the current model and hands calls to it. Looks at the file and the options now and then; a changed one is loaded beside the old
/// model, tried with one row, and put in its place.
/// </summary>
/// <typeparam name="TScorer">What scores.</typeparam>
internal abstract class ReloadingModel<TScorer> : IDisposable
    where TScorer : class, IDisposable
{
    private readonly ScorerKind<TScorer> _kind;
    private readonly string _name;
    private readonly IOptionsMonitor<OnnxScorerServiceOptions> _options;
    private readonly TimeProvider _time;
    private readonly ScorerMetrics _metrics;
    private readonly ILogger _logger;
    private readonly TimeSpan _interval;
    private readonly ITimer? _timer;
    private readonly Lock _reloading = new();

    private volatile LoadedModel<TScorer> _current;
    private volatile ReloadFailure? _failure;
    private volatile bool _disposed;

    // Only for the one who holds the lock: what was loaded last, refused last, and seen at the last look.
    private ModelSource _loaded;
    private ModelSource? _refused;
    private ModelSource? _seen;

    private protected ReloadingModel(
        ScorerKind<TScorer> kind,
        string name,
        IOptionsMonitor<OnnxScorerServiceOptions> options,
        TimeProvider time,
        ScorerMetrics metrics,
        ILogger logger)
    {
        _kind = kind;
        _name = name;
        _options = options;
        _time = time;
        _metrics = metrics;
        _logger = logger;
        var initial = options.Get(name);
        _loaded = ModelSource.Of(initial);
        _current = Load(initial, generation: 1);
        Tell(_current.Model);
        _interval = initial.ReloadInterval;
        if (_interval == TimeSpan.Zero) return;
        _timer = time.CreateTimer(_ => LookAgain(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _timer.Change(_interval, Timeout.InfiniteTimeSpan);
    }

    public LoadedModelInfo Model => _current.Model;

    public ReloadFailure? LastReloadFailure => _failure;

    /// <summary>Looks at the file and the options, and takes what is new once it looks the same as the time before.</summary>
    public void Look()
    {
        lock (_reloading)
        {
            if (_disposed) return;
            try
            {
                Take(_options.Get(_name));
            }
            catch (Exception exception)
            {
                Refuse(exception);
            }
        }
    }

    public void Dispose()
    {
        lock (_reloading)
        {
            if (_disposed) return;
            _disposed = true;
            _timer?.Dispose();
            _metrics.Dispose();
            // Calls that have begun end in peace; the last one disposes of the model.
            _current.Leave();
        }
    }

    private void LookAgain()
    {
        Look();
        _timer!.Change(_interval, Timeout.InfiniteTimeSpan);
    }

    private void Take(OnnxScorerServiceOptions options)
    {
        var source = ModelSource.Of(options);
        var settled = source == _seen;
        _seen = source;
        if (source == _loaded) _failure = null;
        if (source == _loaded || source == _refused || !settled) return;
        LoadedModel<TScorer> next;
        try
        {
            next = Load(options, _current.Model.Generation + 1);
        }
        catch (Exception exception) when (exception is not IOException)
        {
            // It will not get better by being tried again. (A file that is missing or locked may.)
            _refused = source;
            throw;
        }

        // Written to while it was read: what was read may be half of one and half of the other.
        if (ModelSource.Of(options) != source)
        {
            next.Leave();
            return;
        }

        if (!next.Model.HasTheShapesOf(_current.Model))
        {
            _refused = source;
            next.Leave();
            throw new InvalidModelException(
                $"'{next.Model.Path}' has other shapes ({next.Model.DescribeShapes()}) than the model in use "
                + $"({_current.Model.DescribeShapes()}), so its callers would fail; restart the service to change the shapes.");
        }

        // One that answers NaN to what the old one answers with numbers is broken, however well it loads.
        if (_kind.AnswersNaN(next.Scorer) && !_kind.AnswersNaN(_current.Scorer))
        {
            _refused = source;
            next.Leave();
            throw new InvalidModelException(
                $"'{next.Model.Path}' answers NaN for a row of {(next.Model.Columns.Count > 0 ? "missing values" : "zeros")}, to which the "
                + "model in use gives numbers.");
        }

        var old = _current;
        _current = next;
        old.Leave();
        _loaded = source;
        _refused = null;
        _failure = null;
        _metrics.Reload(taken: true);
        Tell(next.Model);
    }

    private void Tell(LoadedModelInfo model) =>
        _logger.ModelLoaded(model.Path, model.Device.ToString(), model.DescribeShapes(), model.Generation);

    private void Refuse(Exception exception)
    {
        var known = _failure?.Message == exception.Message;
        _failure = new ReloadFailure { At = _time.GetUtcNow(), Message = exception.Message };
        if (known) return;
        _metrics.Reload(taken: false);
        // Where the message says it all, a stack trace would only frighten.
        var isExplained = exception is InvalidModelException or DeviceNotAvailableException or NativeRuntimeException
            or OptionsValidationException or IOException or UnauthorizedAccessException;
        _logger.ReloadRefused(isExplained ? null : exception, exception.Message, _current.Model.LoadedAt);
    }

    private LoadedModel<TScorer> Load(OnnxScorerServiceOptions options, int generation)
    {
        var scorer = _kind.Load(options.ModelPath, options.ToSettings());
        try
        {
            return new LoadedModel<TScorer>(scorer, _kind.Describe(scorer, options.ModelPath, generation, _time.GetUtcNow()));
        }
        catch
        {
            scorer.Dispose();
            throw;
        }
    }

    /// <summary>Counts a call in, which has to leave its model.</summary>
    private protected LoadedModel<TScorer> Enter()
    {
        while (true)
        {
            var current = _current;
            if (current.TryEnter()) return current;
            // Replaced in this very moment, or the end.
            ObjectDisposedException.ThrowIf(_disposed, typeof(TScorer));
        }
    }

    /// <summary>What calls are counted by.</summary>
    private protected ScorerMetrics Metrics => _metrics;
}
