using Spectre.Console;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>Prints tables to stdout.</summary>
internal static class OutputTable
{
    // A pipe has no width: the lines must not be broken where a terminal would break them.
    private const int PipeWidth = 100_000;

    public static void Print(Table table)
    {
        if (Console.IsOutputRedirected) AnsiConsole.Profile.Width = PipeWidth;
        AnsiConsole.Write(table);
    }
}
