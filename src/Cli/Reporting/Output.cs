using MlNetBatchNorm.Cli.Tables;
using Spectre.Console;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>Where results go: the folder of <c>--out</c>, tables on stdout, notes on stderr.</summary>
internal static class Output
{
    // A pipe has no width: the lines must not be broken where a terminal would break them.
    private const int PipeWidth = 100_000;

    /// <summary>
    /// Called before the work, not after it. The folder itself is made at the end: a training that fails leaves nothing behind.
    /// </summary>
    /// <exception cref="IOException">There is a file of that name.</exception>
    public static void RequireNoFile(string folder)
    {
        if (File.Exists(folder)) throw new IOException($"'{folder}' is a file; --out needs a folder, which is made if it is not there.");
    }

    /// <summary>Where a training that is to be resumed keeps its state.</summary>
    public static CheckpointOptions Checkpoint(string folder) => new(Path.Combine(folder, "training.checkpoint"));

    /// <summary>Reads a table, and says how its lines became rows where that needs saying.</summary>
    /// <param name="path">The file.</param>
    /// <param name="texts">Columns of which the texts matter although they may look like numbers.</param>
    /// <exception cref="TableException">It cannot be read.</exception>
    public static CsvTable Read(string path, IReadOnlyCollection<string> texts)
    {
        var table = CsvTable.Read(path, texts);
        if (table.Note is { } note) Terminal.Note($"note: {note}");
        return table;
    }

    /// <summary>A text as a cell of a table.</summary>
    public static string Cell(string text) => Markup.Escape(Terminal.Clean(text));

    /// <summary>Prints a table to stdout.</summary>
    public static void Print(Table table)
    {
        if (Console.IsOutputRedirected) AnsiConsole.Profile.Width = PipeWidth;
        AnsiConsole.Write(table);
    }

    /// <summary>Says so, once, if the CPU stepped in for something better.</summary>
    public static void NoteDevice(DeviceReport report)
    {
        if (report.IsSurprising) Terminal.Note($"note: {report}");
    }
}
