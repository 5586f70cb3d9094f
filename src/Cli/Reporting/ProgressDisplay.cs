using Spectre.Console;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>Shows a line for each epoch on stderr; on a terminal also a bar below them that moves.</summary>
internal abstract class ProgressDisplay : IDisposable
{
    public static ProgressDisplay Create() => Console.IsErrorRedirected ? new PlainLines() : new LiveBar();

    public abstract void Epoch(EpochReport report);

    public virtual void Warning(TrainingWarning warning) => Terminal.Note($"warning: {warning.Message}");

    public virtual void Dispose()
    {
    }

    private sealed class PlainLines : ProgressDisplay
    {
        public override void Epoch(EpochReport report) => Console.Error.WriteLine(report);
    }

    private sealed class LiveBar : ProgressDisplay
    {
        private const int Width = 30;

        private readonly IAnsiConsole _console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });

        public override void Epoch(EpochReport report)
        {
            Clear();
            _console.MarkupLine(report.IsBest ? $"[green]{Markup.Escape(report.ToString())}[/]" : Markup.Escape(report.ToString()));
            var done = Width * report.Epoch / report.Epochs;
            var left = report.Elapsed / report.Epoch * (report.Epochs - report.Epoch);
            _console.Markup($"[blue]{new string('━', done)}[/][grey]{new string('━', Width - done)}[/] at most {left:mm\\:ss} left");
        }

        public override void Warning(TrainingWarning warning)
        {
            Clear();
            base.Warning(warning);
        }

        public override void Dispose()
        {
            Clear();
            base.Dispose();
        }

        // The bar is the last line, without an end.
        private static void Clear() => Console.Error.Write("\r\u001b[K");
    }
}
