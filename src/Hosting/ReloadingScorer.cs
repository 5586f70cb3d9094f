using System.Diagnostics.CodeAnalysis;
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

/// <summary>Rows of numbers, for whoever knows the order of a model's features.</summary>
internal sealed class ReloadingScorer(
    string name, IOptionsMonitor<OnnxScorerServiceOptions> options, TimeProvider time, ScorerMetrics metrics, ILogger<IOnnxScorer> logger)
    : ReloadingModel<OnnxScorer>(Kind, name, options, time, metrics, logger), IOnnxScorer
{
    private static readonly ScorerKind<OnnxScorer> Kind = new(OnnxScorer.Load, LoadedModelInfo.Of, AnswersNaN);

    public LoadedModelInfo Score(ReadOnlySpan<float> row, Span<float> result)
    {
        var begun = Metrics.Begin();
        var model = Enter();
        try
        {
            model.Scorer.Score(row, result);
            Metrics.End(begun, 1);
            return model.Model;
        }
        catch (Exception exception) when (Metrics.Fail(begun, exception))
        {
            throw;
        }
        finally
        {
            model.Leave();
        }
    }

    public LoadedModelInfo ScoreBatch(ReadOnlySpan<float> rows, int count, Span<float> result)
    {
        var begun = Metrics.Begin();
        var model = Enter();
        try
        {
            model.Scorer.ScoreBatch(rows, count, result);
            Metrics.End(begun, count);
            return model.Model;
        }
        catch (Exception exception) when (Metrics.Fail(begun, exception))
        {
            throw;
        }
        finally
        {
            model.Leave();
        }
    }

    private static bool AnswersNaN(OnnxScorer scorer) =>
        Array.Exists(scorer.Score(new float[scorer.RowLength]), float.IsNaN);
}

/// <summary>Rows of named columns.</summary>
internal sealed class ReloadingBatchNormScorer(
    string name, IOptionsMonitor<OnnxScorerServiceOptions> options, TimeProvider time, ScorerMetrics metrics,
    ILogger<IBatchNormScorer> logger)
    : ReloadingModel<BatchNormScorer>(Kind, name, options, time, metrics, logger), IBatchNormScorer
{
    private static readonly ScorerKind<BatchNormScorer> Kind = new(
        BatchNormScorer.Load, LoadedModelInfo.Of, scorer => AnswersNaN(scorer.ScoreBlank()));

    public RowPrediction Score<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] TRow>(TRow row) =>
        Count(1, row, static (scorer, row) => scorer.Score(row));

    public RowPrediction[] ScoreBatch<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] TRow>(
        IReadOnlyList<TRow> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        return Count(rows.Count, rows, static (scorer, rows) => scorer.ScoreBatch(rows));
    }

    /// <summary>Scores a row without values, and says by which model.</summary>
    public (RowPrediction Prediction, LoadedModelInfo Model) ScoreBlank()
    {
        var model = Enter();
        try
        {
            return (Count(1, 0, static (scorer, _) => scorer.ScoreBlank()), model.Model);
        }
        finally
        {
            model.Leave();
        }
    }

    /// <summary>Whether a number of a prediction is NaN.</summary>
    public static bool AnswersNaN(RowPrediction prediction) => prediction.Score is { } score && double.IsNaN(score)
        || prediction.Probability is { } probability && float.IsNaN(probability);

    private TResult Count<TGiven, TResult>(int rows, TGiven given, Func<BatchNormScorer, TGiven, TResult> score)
    {
        var begun = Metrics.Begin();
        var model = Enter();
        try
        {
            var result = score(model.Scorer, given);
            Metrics.End(begun, rows);
            return result;
        }
        catch (Exception exception) when (Metrics.Fail(begun, exception))
        {
            throw;
        }
        finally
        {
            model.Leave();
        }
    }
}

/// <summary>All that a loaded model depends on and that can change while the service runs: equal sources give equal models.</summary>
internal sealed record ModelSource(string Path, FileStamp Stamp, string Device, int Threads, int BatchSize, string Outputs)
{
    public static ModelSource Of(OnnxScorerServiceOptions options) => new(
        options.ModelPath,
        FileStamp.Of(options.ModelPath),
        options.Device,
        options.Threads,
        options.BatchSize,
        string.Join('\n', options.Outputs));
}

/// <summary>
/// What can be seen of a file without reading it. Looking at it now and then works where notifications do not: network drives, volumes of
/// containers, links that are pointed elsewhere.
/// </summary>
/// <param name="Length">Its size in bytes; -1 if there is no such file.</param>
/// <param name="Written">When it was last written.</param>
/// <param name="Created">When it was created: another file put in its place has another time.</param>
internal readonly record struct FileStamp(long Length, DateTime Written, DateTime Created)
{
    public static FileStamp Of(string path)
    {
        var file = new FileInfo(path);
        // Of a link, the file that it leads to.
        if (file.LinkTarget is not null) file = (FileInfo?)file.ResolveLinkTarget(returnFinalTarget: true) ?? file;
        return file.Exists ? new FileStamp(file.Length, file.LastWriteTimeUtc, file.CreationTimeUtc) : new FileStamp(-1, default, default);
    }
}

/// <summary>What a scorer writes to the log.</summary>
internal static partial class ScorerLog
{
    [LoggerMessage(1, LogLevel.Information, "Model {Path} loaded on {Device}: {Shapes} (generation {Generation}).")]
    public static partial void ModelLoaded(this ILogger logger, string path, string device, string shapes, int generation);

    [LoggerMessage(2, LogLevel.Warning, "Not reloaded: {Reason} The model loaded at {LoadedAt:O} goes on.")]
    public static partial void ReloadRefused(this ILogger logger, Exception? exception, string reason, DateTimeOffset loadedAt);
}
