using System.Text;
using Spectre.Console;

namespace MlNetBatchNorm.Bench;

/// <summary>What a benchmark says: to a writer as it comes, in Markdown, and kept for <c>RESULTS.md</c>.</summary>
internal sealed class Report(TextWriter output)
{
    // Lines are not broken: Markdown has no way to.
    private const int Width = 10_000;

    private readonly StringBuilder _text = new();

    /// <summary>All of it.</summary>
    public override string ToString() => _text.ToString();

    /// <summary>A line, and an empty one behind it, so that it is a paragraph of its own.</summary>
    public void Paragraph(string text) => Write(text + "\n\n");

    /// <summary>Lines that stay as they are.</summary>
    public void Block(string lines) => Write($"```\n{lines}\n```\n\n");

    /// <summary>A table: texts on the left, figures on the right.</summary>
    /// <param name="header">The names of the columns.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="texts">How many columns, from the left, are texts.</param>
    public void Table(IReadOnlyList<string> header, IEnumerable<IReadOnlyList<string>> rows, int texts)
    {
        var table = new Table().Border(TableBorder.Markdown);
        for (var i = 0; i < header.Count; i++)
            table.AddColumn(new TableColumn(new Text(header[i])) { Alignment = i < texts ? Justify.Left : Justify.Right });
        foreach (var row in rows) table.AddRow(row.Select(cell => new Text(cell)));
        var writer = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(writer) });
        console.Profile.Width = Width;
        console.Write(table);
        var lines = writer.ToString().Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        Write(string.Join('\n', lines) + "\n\n");
    }

    /// <summary>What is being measured now, for whoever waits.</summary>
    public static void Progress(string text) => Console.Error.WriteLine($"bench: {text}");

    private void Write(string text)
    {
        _text.Append(text);
        output.Write(text);
    }
}
