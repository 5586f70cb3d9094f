using System.Diagnostics;
using System.Globalization;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>
/// A piece of work while it goes on: how much of it is done, how fast, and what is left. To keep it up to date costs next to nothing, since
/// the <see cref="ProgressDisplay"/> looks at it from time to time, and shows nothing of what is done at once. Safe for many threads.
/// </summary>
internal sealed class Progress : IDisposable
{
    /// <summary>The unit of files: shown in MB, and as a percentage.</summary>
    public const string Bytes = "bytes";

    /// <summary>The unit of trainings.</summary>
    public const string Steps = "steps";

    private const string Training = "training";

    private readonly Lock _lock = new();
    private readonly Stopwatch _whole = Stopwatch.StartNew();
    private Stopwatch _watch = Stopwatch.StartNew();
    private string _work;
    private string _unit;
    private string _detail = string.Empty;
    private double? _total;
    private double _done;
    private double _doneBefore;
    private double _share;
    private double _shareBefore;
    private long _rows;
    private TrainingPosition? _position;

    private Progress(string work, string unit, double? total) => (_work, _unit, _total) = (work, unit, total);

    /// <summary>Where the amount done comes from, if nobody calls <see cref="Advance"/>; what begins anew may fall back to 0.</summary>
    public Func<double>? Measure { get; init; }

    /// <summary>The share that is done, from 0 to 1, where the total is not known in the unit of the work.</summary>
    public Func<double>? Share { get; init; }

    /// <summary>Begins a piece of work, to be disposed of at its end. Within another one it is shown in its place.</summary>
    /// <param name="work">What is being done, as "reading big.csv".</param>
    /// <param name="unit">What it is counted in, as "steps"; empty = it is not counted.</param>
    /// <param name="total">All of it; null = not known.</param>
    /// <param name="measure">See <see cref="Measure"/>.</param>
    /// <param name="share">See <see cref="Share"/>.</param>
    public static Progress Begin(
        string work, string unit = "", double? total = null, Func<double>? measure = null, Func<double>? share = null)
    {
        var progress = new Progress(work, unit, total) { Measure = measure, Share = share, _shareBefore = share?.Invoke() ?? 0 };
        ProgressDisplay.Current.Begin(progress);
        return progress;
    }

    /// <summary>Goes on to the next stage of the work, whose speed and time left are counted from here.</summary>
    /// <param name="work">What is being done now.</param>
    /// <param name="unit">What it is counted in; empty = it is not counted.</param>
    /// <param name="total">All of it; null = not known.</param>
    /// <param name="done">What was done of it by others before, as by a training that is resumed.</param>
    public void Stage(string work, string unit = "", double? total = null, double done = 0)
    {
        lock (_lock)
        {
            (_work, _unit, _total, _detail, _position) = (work, unit, total, string.Empty, null);
            Restart(done);
        }

        ProgressDisplay.Current.Staged(this);
    }

    /// <summary>Some more is done.</summary>
    /// <param name="amount">How much, in the unit of the work.</param>
    /// <param name="rows">The rows of data that went through it, where its speed is counted in rows.</param>
    public void Advance(double amount = 1, long rows = 0)
    {
        lock (_lock) (_done, _rows) = (_done + amount, _rows + rows);
    }

    /// <summary>So much is done now, whatever was before: where a part ended early, say.</summary>
    public void Reach(double done)
    {
        lock (_lock) _done = done;
    }

    /// <summary>Says what the work is at, as "rate 0.1, with batch norm".</summary>
    public void Detail(string detail)
    {
        lock (_lock) _detail = detail;
    }

    /// <summary>The options of a training that is the whole work: its steps, epochs and warnings are shown.</summary>
    public TrainingOptions Follow(TrainingOptions options) =>
        options with { Progress = Epoch, Warning = Warning, Watch = new WholeTraining(this) };

    /// <summary>The same for a training in ML.NET.</summary>
    public BatchNormNetworkOptions Follow(BatchNormNetworkOptions options) =>
        options with { Progress = Epoch, Warning = Warning, Watch = new WholeTraining(this) };

    /// <summary>
    /// The options of one of several trainings that the work is made of, counted in steps: each step is one more. Its epochs and warnings
    /// are left to the caller.
    /// </summary>
    /// <param name="options">How it is trained.</param>
    /// <param name="detail">What this one is.</param>
    public TrainingOptions Follow(TrainingOptions options, string detail)
    {
        Detail(detail);
        return options with { Watch = new PartOfWork(this) };
    }

    /// <summary>An epoch is over.</summary>
    public static void Epoch(EpochReport report) => ProgressDisplay.Current.Epoch(report);

    /// <summary>A training warns of something.</summary>
    public static void Warning(TrainingWarning warning) => ProgressDisplay.Current.Warning(warning);

    /// <summary>Where the work stands at this moment.</summary>
    public ProgressState State()
    {
        lock (_lock)
        {
            if (Measure is not null)
            {
                var measured = Measure();
                if (measured < _done) Restart(0);
                _done = measured;
            }

            if (Share is not null) _share = Share();
            else if (_total is > 0) _share = Math.Min(1, _done / _total.Value);
            var seconds = _watch.Elapsed.TotalSeconds;
            var gained = _share - _shareBefore;
            return new ProgressState
            {
                Work = _work,
                Detail = _detail,
                Unit = _unit,
                Done = _done,
                Total = _total,
                Position = _position,
                Share = Share is null && _total is null ? null : _share,
                Elapsed = _whole.Elapsed,
                StageElapsed = _watch.Elapsed,
                PerSecond = seconds > 0 ? (_done - _doneBefore) / seconds : 0,
                RowsPerSecond = _rows > 0 && seconds > 0 ? _rows / seconds : null,
                Left = gained > 0 ? TimeSpan.FromSeconds(Math.Min(1e8, seconds * (1 - _share) / gained)) : null,
            };
        }
    }

    /// <inheritdoc/>
    public void Dispose() => ProgressDisplay.Current.End(this);

    private void Restart(double done)
    {
        (_watch, _rows, _done, _doneBefore) = (Stopwatch.StartNew(), 0, done, done);
        _share = _shareBefore = _total is > 0 ? done / _total.Value : 0;
    }

    private sealed class WholeTraining(Progress progress) : TrainingWatch
    {
        private bool _isTraining;

        public override void Stage(string what)
        {
            _isTraining = false;
            progress.Stage(what);
        }

        public override void Step(TrainingPosition position)
        {
            var done = ((double)(position.Epoch - 1) * position.Steps) + position.Step;
            if (!_isTraining) progress.Stage(Training, Steps, (double)position.Epochs * position.Steps, done - 1);
            _isTraining = true;
            lock (progress._lock)
            {
                (progress._done, progress._position) = (done, position);
                progress._rows += position.Rows;
            }
        }
    }

    private sealed class PartOfWork(Progress progress) : TrainingWatch
    {
        public override void Step(TrainingPosition position) => progress.Advance(1, position.Rows);
    }
}

/// <summary>Where a piece of work stands.</summary>
internal readonly record struct ProgressState
{
    /// <summary>What is being done.</summary>
    public required string Work { get; init; }

    /// <summary>What it is at; empty = nothing to say.</summary>
    public required string Detail { get; init; }

    /// <summary>What it is counted in; empty = it is not counted.</summary>
    public required string Unit { get; init; }

    /// <summary>How much is done.</summary>
    public required double Done { get; init; }

    /// <summary>All of it; null = not known.</summary>
    public required double? Total { get; init; }

    /// <summary>Where a training stands; null = it is none.</summary>
    public required TrainingPosition? Position { get; init; }

    /// <summary>The share that is done, from 0 to 1; null = not known.</summary>
    public required double? Share { get; init; }

    /// <summary>The time since the work began, all its stages together.</summary>
    public required TimeSpan Elapsed { get; init; }

    /// <summary>The time since this stage of it began.</summary>
    public required TimeSpan StageElapsed { get; init; }

    /// <summary>How much is done in a second.</summary>
    public required double PerSecond { get; init; }

    /// <summary>The rows of data in a second; null = it is not about rows.</summary>
    public required double? RowsPerSecond { get; init; }

    /// <summary>The time that is left at this speed, of a training at most; null = not known.</summary>
    public required TimeSpan? Left { get; init; }

    /// <summary>The state as a line.</summary>
    public override string ToString() => $"{Work}: {string.Join(", ", Parts())}";

    private IEnumerable<string> Parts()
    {
        var isBytes = Unit == Progress.Bytes;
        if (Position is { } at) yield return Text($"epoch {at.Epoch}/{at.Epochs}, step {at.Step:N0}/{at.Steps:N0}");
        else if (isBytes && Share is { } read) yield return Text($"{100 * read:0} % of {Total / 1e6:N0} MB");
        else if (Unit.Length > 0 && Total is { } total) yield return Text($"{Done:N0} of {total:N0} {Unit}");
        else if (Unit.Length > 0) yield return Text($"{Done:N0} {Unit}");
        if (Detail.Length > 0) yield return Detail;
        if (RowsPerSecond is { } rows) yield return Text($"{rows:N0} rows/s");
        else if (isBytes && PerSecond > 0) yield return Text($"{PerSecond / 1e6:N0} MB/s");
        else if (Unit.Length > 0 && PerSecond >= 10) yield return Text($"{PerSecond:N0} {Unit}/s");
        else if (Unit.Length > 0 && PerSecond > 0) yield return Text($"{PerSecond:0.0} {Unit}/s");
        if (Left is { } left) yield return $"{(Position is null ? string.Empty : "at most ")}{Time(left)} left";
        else yield return Time(StageElapsed);
    }

    private static string Time(TimeSpan time) => Text($"{(int)time.TotalMinutes:00}:{time.Seconds:00}");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
