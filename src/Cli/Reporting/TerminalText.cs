using System.Globalization;
using System.Text;
using Spectre.Console;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>
/// Text for a terminal: what a model or a table brings along is shown and never obeyed. Everything that goes through
/// <see cref="Console"/> is cleaned; cells of tables clean themselves with <see cref="Cell"/>.
/// </summary>
internal static class TerminalText
{
    private static IAnsiConsole? _errors;

    /// <summary>Stderr as it is, for our own control characters.</summary>
    public static TextWriter Error { get; private set; } = Console.Error;

    /// <summary>Stderr with colours.</summary>
    public static IAnsiConsole StyledError => _errors ??= Styled(Error);

    /// <summary>From now on all that is written to stdout and stderr is cleaned.</summary>
    public static void CleanConsole()
    {
        // Whether these are terminals is asked of the writers that they are made with.
        (Error, _errors, AnsiConsole.Console) = (Console.Error, Styled(Console.Error), Styled(Console.Out));
        Console.SetOut(new CleanWriter(Console.Out));
        Console.SetError(new CleanWriter(Console.Error));
    }

    /// <summary>From now on all that was for stdout goes to stderr: stdout is for a result, and nothing else.</summary>
    public static void FreeStandardOutput()
    {
        Console.SetOut(Console.Error);
        AnsiConsole.Console = ProgressDisplay.Current.IsText ? StyledError : Styled(Console.Error);
    }

    /// <summary>Writes lines to stdout, cleaned, also where stdout is for a result.</summary>
    public static void WriteClean(string lines)
    {
        using var output = new StreamWriter(Console.OpenStandardOutput(), Console.OutputEncoding);
        output.Write(Clean(lines, isOneLine: false));
    }

    /// <summary>
    /// A text as one line in which nothing has an effect: ends of lines and tabs are spaces; other control characters, and those that turn
    /// the direction of writing around, are written as <c>\u001b</c>.
    /// </summary>
    public static string Clean(string text) => Clean(text, isOneLine: true);

    /// <summary>The same as the markup of a cell, which may have lines.</summary>
    public static string Cell(string text) => Markup.Escape(Clean(text, isOneLine: false));

    private static IAnsiConsole Styled(TextWriter writer) =>
        AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer) });

    private static string Clean(string text, bool isOneLine)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange(' ', '~')) return text;
        var result = new StringBuilder(text.Length);
        foreach (var letter in text.ReplaceLineEndings("\n"))
        {
            if (letter is '\n' && !isOneLine) result.Append(letter);
            else if (letter is '\n' or '\t') result.Append(' ');
            else if (HasEffect(letter)) result.Append(CultureInfo.InvariantCulture, $"\\u{(int)letter:x4}");
            else result.Append(letter);
        }

        return result.ToString();
    }

    private static bool HasEffect(char letter) => char.IsControl(letter)
        || letter is (>= '\u202A' and <= '\u202E') or (>= '\u2066' and <= '\u2069') or '\u200E' or '\u200F' or '\u061C';

    private sealed class CleanWriter(TextWriter inner) : TextWriter
    {
        public override Encoding Encoding => inner.Encoding;

        public override void Write(char value) => Write(value.ToString());

        public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

        // Parts of lines and whole pages, whose line ends are ours.
        public override void Write(string? value) => inner.Write(Clean(value ?? string.Empty, isOneLine: false));

        // A line is one line, whatever stands in the names that it tells.
        public override void WriteLine(string? value) => inner.WriteLine(Clean(value ?? string.Empty));

        public override void WriteLine() => inner.WriteLine();

        public override void Flush() => inner.Flush();
    }
}
