namespace MlNetBatchNorm.Bench;

/// <summary>The repository that this program was built in: what is measured is in it, and what is measured against.</summary>
internal static class Repository
{
    private static readonly string Root = Find();

    /// <summary>The path of a file or folder in it.</summary>
    public static string PathOf(params string[] names) => Path.Combine([Root, .. names]);

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "MlNetBatchNorm.sln"))) return folder.FullName;
        throw new DirectoryNotFoundException($"There is no MlNetBatchNorm.sln above '{AppContext.BaseDirectory}'.");
    }
}
