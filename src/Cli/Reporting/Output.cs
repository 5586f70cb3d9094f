using System.Globalization;
using System.Text;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Files;
using Spectre.Console;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>Where results go: files, stdout, and notes on stderr.</summary>
internal static class Output
{
    // A pipe has no width: the lines must not be broken where a terminal would break them.
    private const int PipeWidth = 100_000;

    /// <summary>What stands for stdout in the place of a file.</summary>
    public const string Standard = "-";

    private const long LeastMebibytes = 24;

    /// <summary>Called before the work, not after it: the file can be written.</summary>
    /// <param name="path">The file; <see cref="Standard"/> = stdout, which is then for it alone.</param>
    /// <exception cref="IOException">It cannot; the message says why.</exception>
    public static void Require(string path)
    {
        if (path == Standard) TerminalText.FreeStandardOutput();
        else AtomicFile.RequireWritable(path);
    }

    /// <summary>Called before rows are gone through one block after the other: there is room for a few of them.</summary>
    /// <exception cref="InsufficientMemoryException">There is not.</exception>
    public static void RequireMemory()
    {
        // .NET 10 crashes where a single array is as large as all that a limited heap may have.
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 20;
        if (memory < LeastMebibytes)
            throw new InsufficientMemoryException(string.Create(
                CultureInfo.InvariantCulture,
                $"there is not enough memory: the process may take {memory:N0} MiB. Give it at least {LeastMebibytes:N0}."));
    }

    /// <summary>Writes a result; see <see cref="AtomicFile.Write"/>.</summary>
    public static void Write(string path, Action<Stream> write)
    {
        if (path != Standard)
        {
            AtomicFile.Write(path, write);
            return;
        }

        using var stream = Console.OpenStandardOutput();
        write(stream);
        stream.Flush();
    }

    /// <summary>The same for text (UTF-8, no byte order mark); on a terminal it is cleaned.</summary>
    public static void WriteText(string path, Action<TextWriter> write)
    {
        if (path == Standard && !Console.IsOutputRedirected)
        {
            using var text = new StringWriter();
            write(text);
            TerminalText.WriteClean(text.ToString());
            return;
        }

        Write(path, stream =>
        {
            using var text = new StreamWriter(stream, new UTF8Encoding(false), leaveOpen: true);
            write(text);
        });
    }

    /// <summary>Where a training that is to be resumed keeps its state, until its results are written.</summary>
    public static CheckpointOptions Checkpoint(string folder) => new(Path.Combine(folder, "training.checkpoint")) { Keep = true };

    /// <summary>Called before tables are read as a whole: there is room for them.</summary>
    /// <exception cref="InsufficientMemoryException">They are larger than the memory of this process.</exception>
    public static void RequireMemory(IReadOnlyList<string> paths)
    {
        // .NET 10 crashes where a single array is as large as all that a limited heap may have.
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        var size = paths.Select(path => new FileInfo(path)).Where(file => file.Exists).Sum(file => file.Length);
        if (size > memory / 5 * 4)
            throw new InsufficientMemoryException(string.Create(
                CultureInfo.InvariantCulture,
                $"there is not enough memory: '{string.Join("', '", paths)}' has {size >> 20:N0} MiB, and the process may take "
                + $"{memory >> 20:N0}. Give it more, or the table in parts."));
    }

    /// <summary>Reads a table, and says how its lines became rows where that needs saying.</summary>
    /// <param name="source">The table.</param>
    /// <param name="texts">Columns of which the texts matter although they may look like numbers.</param>
    /// <exception cref="TableException">It cannot be read.</exception>
    public static CsvTable Read(CsvSource source, IReadOnlyCollection<string> texts)
    {
        using var progress = Progress.Begin(
            $"reading {Path.GetFileName(source.Name)}", Progress.Bytes, source.Length, () => source.Position);
        var table = CsvTableLoader.Read(source, texts);
        if (table.Note is { } note) Console.Error.WriteLine($"note: {note}");
        return table;
    }

    /// <summary>Prints a table to stdout.</summary>
    public static void Print(Table table)
    {
        if (Console.IsOutputRedirected || !ProgressDisplay.Current.IsText) AnsiConsole.Profile.Width = PipeWidth;
        AnsiConsole.Write(table);
    }

    /// <summary>Says so, once, if the CPU stepped in for something better.</summary>
    public static void NoteDevice(DeviceReport report)
    {
        if (report.IsSurprising) Console.Error.WriteLine($"note: {report}");
    }
}
