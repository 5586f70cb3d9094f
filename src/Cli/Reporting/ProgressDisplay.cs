using Spectre.Console;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>Shows a line for each epoch on stderr; on a terminal also a bar below them that moves.</summary>
internal abstract class ProgressDisplay : IDisposable
{
    public static ProgressDisplay Create()
    {
        if (Console.IsErrorRedirected) return new PlainLines();
        Interruption.Clear = LiveBar.Clear;
        return new LiveBar();
    }

    public abstract void Epoch(EpochReport report);

    public virtual void Warning(TrainingWarning warning) =>
        Console.Error.WriteLine($"{(warning.Kind == TrainingWarningKind.RowsInFile ? "note" : "warning")}: {warning.Message}");

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

        public override void Epoch(EpochReport report)
        {
            Clear();
            var text = TerminalText.Cell(report.ToString());
            TerminalText.StyledError.MarkupLine(report.IsBest ? $"[green]{text}[/]" : text);
            var done = Width * report.Epoch / report.Epochs;
            var left = report.Elapsed / report.Epoch * (report.Epochs - report.Epoch);
            TerminalText.StyledError.Markup(
                $"[blue]{new string('━', done)}[/][grey]{new string('━', Width - done)}[/] at most {left:mm\\:ss} left");
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
        public static void Clear() => TerminalText.Error.Write("\r\u001b[K");
    }
}
