namespace MlNetBatchNorm.Architecture.Tests;

/// <summary>The sources that the tests are about, and what was built from them.</summary>
internal static class Checkout
{
    public static string Root { get; } = FindRoot();

    /// <summary>The assembly of a project in <c>src</c>; it lies beside the tests, which refer to it.</summary>
    public static string AssemblyOf(string project) => Path.Combine(AppContext.BaseDirectory, project switch
    {
        "Cli" => "mlnetbn.dll",
        "Transforms" => "MlNetBatchNorm.dll",
        _ => $"MlNetBatchNorm.{project}.dll",
    });

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "MlNetBatchNorm.sln"))) return folder.FullName;
        throw new DirectoryNotFoundException($"No folder from {AppContext.BaseDirectory} upwards has MlNetBatchNorm.sln.");
    }
}
