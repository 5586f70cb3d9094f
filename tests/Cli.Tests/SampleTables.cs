namespace MlNetBatchNorm.Cli.Tests;

/// <summary>The tables of the repository's sample-data folder, which the tool does not bring with it.</summary>
internal static class SampleTables
{
    public static string PathOf(string file)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var path = Path.Combine(folder.FullName, "sample-data", file);
            if (File.Exists(path)) return path;
        }

        throw new FileNotFoundException($"sample-data/{file} was not found above {AppContext.BaseDirectory}.");
    }

    /// <summary>
    /// Every fifth record of a table without line ends in its fields, starting with the first: what the tool tests on with
    /// <c>--test-order file</c>.
    /// </summary>
    public static string TestPart(string file) =>
        string.Join('\n', File.ReadLines(PathOf(file)).Where((_, line) => line == 0 || (line - 1) % 5 == 0)) + "\n";
}
