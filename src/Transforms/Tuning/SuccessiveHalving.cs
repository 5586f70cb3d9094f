using System.Diagnostics;

namespace MlNetBatchNorm.Transforms.Tuning;

/// <summary>
/// Many settings in few epochs, the best third of them in three times as many, and so on (Jamieson and Talwalkar 2016, arXiv 1502.07943,
/// Algorithm 1, with thirds as in Li et al. 2018, arXiv 1603.06560). The defaults are tried in all of their epochs at once, so that the
/// last rung compares with them.
/// </summary>
internal sealed class SuccessiveHalving
{
    /// <summary>The trials where neither their number nor the time says how many.</summary>
    public const int UsualTrials = 27;

    private const int Thirds = 3;
    private const int MostRungs = 3;
    private const int MostTrialsByTime = 243;

    // Others are larger than the defaults as often as smaller, and those cost more than these save.
    private const double CostOfOthers = 1.5;

    private readonly int[] _rungs;
    private readonly int? _trials;
    private readonly TimeSpan? _limit;
    private readonly TimeSpan _before;
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private double _planned;
    private double _done;
    private double _current;

    /// <param name="epochs">The most epochs of the defaults.</param>
    /// <param name="trials">The most settings; null = as many as the time allows, or <see cref="UsualTrials"/>.</param>
    /// <param name="limit">The time; null = no limit.</param>
    /// <param name="before">What of it an earlier run has used.</param>
    public SuccessiveHalving(int epochs, int? trials, TimeSpan? limit, TimeSpan before)
    {
        _rungs = [.. Enumerable.Range(1 - MostRungs, MostRungs)
            .Select(rung => (int)Math.Ceiling(epochs * Math.Pow(Thirds, rung))).Distinct()];
        (_trials, _limit, _before) = (trials ?? (limit is null ? UsualTrials : null), limit, before);
        if (_trials is { } count) Plan(count - 1);
    }

    /// <summary>Measures settings in so many epochs.</summary>
    /// <param name="settings">The settings.</param>
    /// <param name="rung">The rung, from 1.</param>
    /// <param name="epochs">The most epochs.</param>
    /// <param name="cancellation">Says that the time is up.</param>
    /// <returns>The trial; null where the time was up.</returns>
    public delegate BatchNormTrial? Measure(TuningSettings settings, int rung, int epochs, CancellationToken cancellation);

    /// <summary>The share that is done, of the work or of the time, from 0 to 1. May be asked for by another thread.</summary>
    public double Share
    {
        get
        {
            var work = _planned > 0 ? (Volatile.Read(ref _done) + Volatile.Read(ref _current)) / _planned : 0;
            return Math.Min(1, _limit is { } limit ? Math.Max(work, (_before + _watch.Elapsed) / limit) : work);
        }
    }

    /// <summary>So much of a trial is done, in epochs of the defaults.</summary>
    public void Advance(double epochs) => Volatile.Write(ref _current, epochs);

    /// <summary>Runs the trials.</summary>
    /// <param name="space">The settings: first the defaults.</param>
    /// <param name="measure">Measures one.</param>
    public BatchNormTuning Run(IEnumerable<TuningSettings> space, Measure measure)
    {
        var trials = new List<BatchNormTrial>();
        using var drawn = space.GetEnumerator();
        drawn.MoveNext();

        // However short the time is: without the defaults nothing could be said of the others.
        var defaults = Try(drawn.Current, _rungs.Length, CancellationToken.None)!;
        var others = _trials - 1 ?? TrialsWithin(_limit!.Value - defaults.Time, defaults.Time);
        Plan(others);
        var candidates = new List<TuningSettings>();
        while (candidates.Count < others && drawn.MoveNext()) candidates.Add(drawn.Current);
        if (candidates.Count < others) Plan(candidates.Count);
        var finalists = new List<BatchNormTrial>();
        var (begun, left) = (_watch.Elapsed, Left);
        for (var rung = 1; rung <= _rungs.Length && candidates.Count > 0; rung++)
        {
            // Each rung costs about the same, and has as much of the time.
            using var time = left is null ? new CancellationTokenSource() : new CancellationTokenSource(
                TimeSpan.FromTicks(Math.Max(0, (begun + (left.Value * rung / _rungs.Length) - _watch.Elapsed).Ticks)));
            finalists = [];
            foreach (var settings in candidates)
            {
                if (Try(settings, rung, time.Token) is not { } trial) break;
                finalists.Add(trial);
            }

            if (rung == _rungs.Length) return new BatchNormTuning(trials, defaults, finalists);
            var best = finalists.OrderBy(trial => trial.Score).ThenBy(trial => trial.Number)
                .Take((finalists.Count + Thirds - 1) / Thirds).Select(trial => trial.Number).ToHashSet();
            candidates = [.. candidates.Where(settings => best.Contains(settings.Number))];
        }

        return new BatchNormTuning(trials, defaults, []);

        BatchNormTrial? Try(TuningSettings settings, int rung, CancellationToken cancellation)
        {
            var epochs = _rungs[rung - 1];
            var trial = measure(settings, rung, epochs, cancellation);
            Volatile.Write(ref _current, 0);
            Volatile.Write(ref _done, _done + epochs);
            if (trial is not null) trials.Add(trial);
            return trial;
        }
    }

    private TimeSpan? Left => _limit is { } limit ? limit - _before - _watch.Elapsed : null;

    private void Plan(int others) => _planned = _rungs[^1] + CostOf(others);

    // In epochs of the defaults.
    private double CostOf(int others)
    {
        var cost = 0.0;
        for (var (rung, count) = (0, others); rung < _rungs.Length; (rung, count) = (rung + 1, (count + Thirds - 1) / Thirds))
            cost += (double)_rungs[rung] * count;
        return cost;
    }

    private int TrialsWithin(TimeSpan left, TimeSpan defaults)
    {
        var epochs = left / defaults / CostOfOthers * _rungs[^1];
        var count = 0;
        while (count < MostTrialsByTime && CostOf(count + 1) <= epochs) count++;
        return count;
    }
}
