namespace MlNetBatchNorm.Cli.Tests;

/// <summary>The churn table that comes with the tool, cut into a training and a test part.</summary>
internal static class ChurnTables
{
    public static string[] Lines { get; } = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "sample-data", "churn.csv"));

    /// <summary>Writes train.csv and test.csv; the test rows are every fifth one, starting with the first.</summary>
    public static void Write(TemporaryFolder folder)
    {
        folder.Write("train.csv", Part(row => row % 5 != 0));
        folder.Write("test.csv", Part(row => row % 5 == 0));
    }

    /// <summary>A small table with the same columns.</summary>
    public static string First(int rows) => string.Join('\n', Lines.Take(rows + 1)) + "\n";

    private static string Part(Func<int, bool> take) =>
        string.Join('\n', Lines.Where((_, line) => line == 0 || take(line - 1))) + "\n";
}
