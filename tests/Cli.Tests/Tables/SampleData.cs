using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Tests.Tables;

/// <summary>The tables of the repository's sample-data folder.</summary>
internal static class SampleData
{
    public static CsvTable Churn => CsvTable.Read(PathOf("churn.csv"));

    public static CsvTable Ames => CsvTable.Read(PathOf("ames.csv"));

    public static CsvTable Letters => CsvTable.Read(PathOf("letters.csv"));

    public static string PathOf(string file)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var path = Path.Combine(folder.FullName, "sample-data", file);
            if (File.Exists(path))
                return path;
        }

        throw new FileNotFoundException($"sample-data/{file} was not found above {AppContext.BaseDirectory}.");
    }
}
