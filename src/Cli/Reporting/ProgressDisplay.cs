using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Onnx.Graph;
using Spectre.Console;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>In which form the tool speaks on stderr.</summary>
internal enum ProgressForm
{
    /// <summary>A line that moves, below the others, on a terminal; a line now and then elsewhere.</summary>
    Text,

    /// <summary>Warnings and errors, nothing else (<c>--quiet</c>).</summary>
    Quiet,

    /// <summary>A JSON object a line, for programs (<c>--json-lines</c>).</summary>
    Json,
}

/// <summary>
/// All that the tool says on stderr, and the one place that knows in which form: <see cref="Progress"/>, epochs, and the lines that go to
/// <see cref="Console.Error"/>, whose beginning says what they are: <c>mlnetbn: </c> is an error, then there are <c>warning: </c> and
/// <c>note: </c>.
/// </summary>
internal abstract class ProgressDisplay
{
    private const string Error = "mlnetbn: ";
    private const string Warned = "warning: ";
    private const string Noted = "note: ";

    private static readonly Timer Clock = new(Tick);

    private readonly Lock _lock = new();
    private readonly List<Progress> _works = [];
    private readonly TimeSpan _interval;
    private bool _isStopped;

    private ProgressDisplay(TimeSpan interval) => _interval = interval;

    /// <summary>The display of this process.</summary>
    public static ProgressDisplay Current { get; private set; } = new PlainLines();

    /// <summary>Whether lines are shown as they are written.</summary>
    public virtual bool IsText => true;

    /// <summary>From now on stderr has this form. Called after <see cref="TerminalText.CleanConsole"/>.</summary>
    /// <param name="form">The form.</param>
    /// <param name="command">What was called.</param>
    public static void Use(ProgressForm form, string command)
    {
        Current = form switch
        {
            ProgressForm.Quiet => new Nothing(),
            ProgressForm.Json => new JsonLines(command),
            _ => !Console.IsErrorRedirected && TerminalText.StyledError.Profile.Capabilities.Ansi ? new LiveLine() : new PlainLines(),
        };
        Console.SetError(new MessageWriter(Current));
        Interruption.Clear = Current.Stop;
        Interruption.Ended = Current.Done;
    }

    /// <summary>The command has ended.</summary>
    public virtual void Done(int exitCode)
    {
    }

    /// <summary>An epoch of a training is over.</summary>
    public void Epoch(EpochReport report) => Locked(() => ShowEpoch(report));

    /// <summary>Settings have been tried.</summary>
    public void Trial(BatchNormTrial trial) => Locked(() => ShowTrial(trial));

    /// <summary>A training warns of something, or notes it.</summary>
    public void Warning(TrainingWarning warning) => Locked(() => ShowWarning(warning));

    /// <summary>A line, without control characters.</summary>
    public void Message(string line) => Locked(() => ShowMessage(line));

    /// <summary>A piece of work begins.</summary>
    public void Begin(Progress work) => Locked(() =>
    {
        _works.Add(work);
        Began(work);
        Clock.Change(_interval, _interval);
    });

    /// <summary>A piece of work goes on to its next stage.</summary>
    public void Staged(Progress work) => Locked(() =>
    {
        if (_works is [.., var last] && last == work) Began(work);
    });

    /// <summary>A piece of work has ended, well or not.</summary>
    public void End(Progress work) => Locked(() =>
    {
        if (!_works.Remove(work)) return;
        Ended(work);
        if (_works.Count == 0) Clock.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    });

    protected virtual void Began(Progress work)
    {
    }

    protected virtual void Ended(Progress work)
    {
    }

    protected abstract void Show(Progress work);

    protected abstract void ShowMessage(string line);

    protected virtual void ShowEpoch(EpochReport report) => ShowMessage(report.ToString());

    protected virtual void ShowTrial(BatchNormTrial trial) => ShowMessage(trial.ToString());

    protected virtual void ShowWarning(TrainingWarning warning) =>
        ShowMessage((IsNote(warning) ? Noted : Warned) + TerminalText.Clean(warning.Message));

    private static bool IsNote(TrainingWarning warning) =>
        warning.Kind is TrainingWarningKind.RowsInFile or TrainingWarningKind.NarrowFirstLayer;

    // Nothing moves behind the last word.
    private void Stop() => Locked(() =>
    {
        _isStopped = true;
        foreach (var work in _works) Ended(work);
        _works.Clear();
    });

    private static void Tick(object? state)
    {
        try
        {
            Current.ShowWork();
        }
        catch (IOException)
        {
            // Nobody can be told, and the work goes on.
        }
    }

    private void ShowWork() => Locked(() =>
    {
        if (!_isStopped && _works is [.., var work]) Show(work);
    });

    private void Locked(Action show)
    {
        lock (_lock) show();
    }

    /// <summary>What is written to stderr, line by line.</summary>
    private sealed class MessageWriter(ProgressDisplay display) : TextWriter
    {
        private readonly StringBuilder _line = new();

        public override Encoding Encoding => TerminalText.Error.Encoding;

        public override void Write(char value) => Write(value.ToString());

        public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

        // Parts of lines, and whole pages, whose line ends are ours.
        public override void Write(string? value)
        {
            var lines = (value ?? string.Empty).ReplaceLineEndings("\n").Split('\n');
            lock (_line)
            {
                foreach (var line in lines[..^1]) End(line);
                _line.Append(lines[^1]);
            }
        }

        // A line is one line, whatever stands in the names that it tells.
        public override void WriteLine(string? value)
        {
            lock (_line) End(value ?? string.Empty);
        }

        public override void WriteLine() => WriteLine(string.Empty);

        private void End(string rest)
        {
            _line.Append(rest);
            var line = TerminalText.Clean(_line.ToString());
            _line.Clear();
            display.Message(line);
        }
    }

    /// <summary>A line when something takes longer: after two seconds, and then ever less often.</summary>
    private sealed class PlainLines() : ProgressDisplay(TimeSpan.FromMilliseconds(500))
    {
        private static readonly TimeSpan First = TimeSpan.FromSeconds(2);
        private static readonly TimeSpan Least = TimeSpan.FromSeconds(10);

        private readonly Stopwatch _clock = Stopwatch.StartNew();
        private TimeSpan _next = First;

        protected override void Show(Progress work)
        {
            var state = work.State();
            if (state.Elapsed < First || _clock.Elapsed < _next) return;
            TerminalText.Error.WriteLine(TerminalText.Clean(state.ToString()));
            _next = _clock.Elapsed + (state.Elapsed / 10 > Least ? state.Elapsed / 10 : Least);
        }

        // What says something else says that it goes on.
        protected override void ShowMessage(string line)
        {
            TerminalText.Error.WriteLine(line);
            if (_clock.Elapsed + First is var later && later > _next) _next = later;
        }
    }

    /// <summary>A line that moves, below the others.</summary>
    private sealed class LiveLine() : ProgressDisplay(TimeSpan.FromMilliseconds(200))
    {
        private const int Width = 20;
        private bool _isShown;

        protected override void Ended(Progress work) => Clear();

        protected override void Show(Progress work)
        {
            var state = work.State();
            var bar = state.Share is { } share ? (int)(Width * Math.Clamp(share, 0, 1)) : -1;
            var room = Math.Max(20, TerminalText.StyledError.Profile.Width) - 1 - (bar < 0 ? 0 : Width + 1);
            var text = TerminalText.Clean(state.ToString());
            if (text.Length > room) text = $"{text[..(room - 1)]}…";
            TerminalText.Error.Write("\r\u001b[K");
            if (bar >= 0)
                TerminalText.StyledError.Markup($"[blue]{new string('━', bar)}[/][grey]{new string('━', Width - bar)}[/] ");
            TerminalText.Error.Write(text);
            TerminalText.Error.Flush();
            _isShown = true;
        }

        protected override void ShowMessage(string line) => Above(() => TerminalText.Error.WriteLine(line));

        protected override void ShowEpoch(EpochReport report) => Above(() =>
        {
            var text = TerminalText.Cell(report.ToString());
            TerminalText.StyledError.MarkupLine(report.IsBest ? $"[green]{text}[/]" : text);
        });

        private void Above(Action write)
        {
            var isShown = _isShown;
            Clear();
            write();
            if (isShown && _works is [.., var work]) Show(work);
        }

        private void Clear()
        {
            if (_isShown) TerminalText.Error.Write("\r\u001b[K");
            _isShown = false;
        }
    }

    /// <summary>Nothing but what is wrong.</summary>
    private sealed class Nothing() : ProgressDisplay(Timeout.InfiniteTimeSpan)
    {
        public override bool IsText => false;

        protected override void Show(Progress work)
        {
        }

        protected override void ShowEpoch(EpochReport report)
        {
        }

        protected override void ShowMessage(string line)
        {
            if (line.StartsWith(Error, StringComparison.Ordinal) || line.StartsWith(Warned, StringComparison.Ordinal))
                TerminalText.Error.WriteLine(line);
        }
    }

    /// <summary>A JSON object a line; docs/progress.md says what is in them.</summary>
    private sealed class JsonLines : ProgressDisplay
    {
        private readonly Stopwatch _clock = Stopwatch.StartNew();

        public JsonLines(string command)
            : base(TimeSpan.FromMilliseconds(500)) =>
            Write("started", [new("command", command), new("version", ModelFile.ProducerVersion)]);

        public override bool IsText => false;

        public override void Done(int exitCode) =>
            Locked(() => Write("done", [new("exitCode", exitCode), new("seconds", Seconds(_clock.Elapsed))]));

        protected override void Began(Progress work) => Show(work);

        protected override void Ended(Progress work) => Show(work);

        protected override void Show(Progress work)
        {
            var state = work.State();
            var fields = new List<KeyValuePair<string, JsonNode?>> { new("work", state.Work) };
            if (state.Detail.Length > 0) fields.Add(new("detail", state.Detail));
            if (state.Position is { } at)
                fields.AddRange([new("epoch", at.Epoch), new("epochs", at.Epochs), new("step", at.Step), new("steps", at.Steps)]);
            if (state.Unit.Length > 0)
            {
                fields.AddRange([
                    new("unit", state.Unit), new("done", state.Done), new("total", state.Total), new("perSecond", Rate(state.PerSecond)),
                ]);
            }

            if (state.RowsPerSecond is { } rows) fields.Add(new("rowsPerSecond", Rate(rows)));
            if (state.Share is { } share) fields.Add(new("share", Math.Round(share, 4)));
            fields.Add(new("seconds", Seconds(state.Elapsed)));
            fields.Add(new("secondsLeft", state.Left is { } left ? Seconds(left) : null));
            Write("progress", fields);
        }

        protected override void ShowMessage(string line)
        {
            var (kind, text) = line.StartsWith(Error, StringComparison.Ordinal) ? ("error", line[Error.Length..])
                : line.StartsWith(Warned, StringComparison.Ordinal) ? ("warning", line[Warned.Length..])
                : line.StartsWith(Noted, StringComparison.Ordinal) ? ("note", line[Noted.Length..])
                : ("message", line);
            Write(kind, [new("message", text)]);
        }

        protected override void ShowWarning(TrainingWarning warning) => Write(
            IsNote(warning) ? "note" : "warning",
            [new("kind", warning.Kind.ToString()), new("layer", warning.Layer), new("message", warning.Message)]);

        protected override void ShowEpoch(EpochReport report)
        {
            JsonObject? measured = null;
            if (report.Validation is { } validation)
            {
                measured = new JsonObject { ["loss"] = Finite(validation.Loss), ["isOutOfFold"] = validation.IsOutOfFold };
                foreach (var (metric, value) in validation.Values) measured[metric.Key] = Finite(value);
            }

            Write("epoch", [
                new("epoch", report.Epoch), new("epochs", report.Epochs), new("loss", Finite(report.Loss)), new("validation", measured),
                new("isBest", report.IsBest), new("seconds", Seconds(report.Elapsed)),
            ]);
        }

        protected override void ShowTrial(BatchNormTrial trial) => Write(
            "trial", TrialsTable.ToJson(trial).Select(field => KeyValuePair.Create(field.Key, field.Value?.DeepClone())));

        // Written so that nothing in it has an effect on a terminal: System.Text.Json escapes all but plain letters.
        private static void Write(string kind, IEnumerable<KeyValuePair<string, JsonNode?>> fields) =>
            TerminalText.Error.WriteLine(new JsonObject([new("event", kind), .. fields]).ToJsonString());

        private static double Seconds(TimeSpan time) => Math.Round(time.TotalSeconds, 3);

        private static double Rate(double perSecond) => Math.Round(perSecond, perSecond < 100 ? 3 : 0);

        // JSON knows no infinity.
        private static double? Finite(double value) => double.IsFinite(value) ? value : null;
    }
}
