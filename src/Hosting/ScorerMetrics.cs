using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace MlNetBatchNorm.Hosting;

/// <summary>What one scorer reports: calls and their durations, rows, reloads. Costs a comparison while nobody listens.</summary>
internal sealed class ScorerMetrics : IDisposable
{
    // Calls take microseconds to milliseconds; the buckets that exporters choose for seconds would hold them all in one.
    private static readonly InstrumentAdvice<double> Buckets = new()
    {
        HistogramBucketBoundaries = [5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
    };

    private readonly Meter? _own;
    private readonly Histogram<double> _duration;
    private readonly Counter<long> _rows;
    private readonly Counter<long> _reloads;
    private readonly KeyValuePair<string, object?> _scorer;

    /// <summary>Creates the instruments.</summary>
    /// <param name="name">The name of the scorer; empty for the one without a name.</param>
    /// <param name="factory">The host's meters, if it has any.</param>
    public ScorerMetrics(string name, IMeterFactory? factory)
    {
        var meter = factory?.Create(OnnxScorerMeter.Name) ?? (_own = new Meter(OnnxScorerMeter.Name));
        _duration = meter.CreateHistogram(OnnxScorerMeter.Duration, "s", "How long calls took.", tags: null, Buckets);
        _rows = meter.CreateCounter<long>(OnnxScorerMeter.Rows, "{row}", "Rows scored.");
        _reloads = meter.CreateCounter<long>(OnnxScorerMeter.Reloads, "{reload}", "Changed files and options, taken or refused.");
        _scorer = new("scorer", name.Length == 0 ? "default" : name);
    }

    public long Begin() => _duration.Enabled ? Stopwatch.GetTimestamp() : 0;

    public void End(long begun, int rows)
    {
        if (begun != 0) _duration.Record(Stopwatch.GetElapsedTime(begun).TotalSeconds, _scorer);
        _rows.Add(rows, _scorer);
    }

    /// <summary>Counts a call that failed. For a filter: never catches.</summary>
    public bool Fail(long begun, Exception exception)
    {
        if (begun != 0)
            _duration.Record(Stopwatch.GetElapsedTime(begun).TotalSeconds, _scorer, new("error.type", exception.GetType().FullName));
        return false;
    }

    public void Reload(bool taken) => _reloads.Add(1, _scorer, new("outcome", taken ? "taken" : "refused"));

    public void Dispose() => _own?.Dispose();
}

/// <summary>
/// The names of the meter and its instruments. Every measurement carries the tag <c>scorer</c>: the scorer's key, or <c>default</c>.
/// </summary>
public static class OnnxScorerMeter
{
    /// <summary>The meter.</summary>
    public static string Name => "MlNetBatchNorm.Hosting";

    /// <summary>
    /// A histogram of the durations of calls in seconds; calls that failed carry <c>error.type</c>. Its count is the number of calls.
    /// </summary>
    public static string Duration => "mlnetbn.scorer.duration";

    /// <summary>A counter of the rows scored.</summary>
    public static string Rows => "mlnetbn.scorer.rows";

    /// <summary>A counter of reloads, with the tag <c>outcome</c>: <c>taken</c> or <c>refused</c>.</summary>
    public static string Reloads => "mlnetbn.scorer.reloads";
}
