using System.Diagnostics;
using System.Text.RegularExpressions;

namespace MlNetBatchNorm.Packages.Tests;

/// <summary>
/// The programs of the folder Consumers, and those that docs/getting-started.md and the packages' own READMEs show, built outside the
/// repository from the packed feed and the machine's usual ones. Ours are unpacked to a folder that is gone afterwards; of the others
/// the machine's own copies are taken, where it has them.
/// </summary>
public sealed partial class Programs : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public Programs(Feed feed)
    {
        ArgumentNullException.ThrowIfNull(feed);
        Copy(Path.Combine(Repository.Folder, "tests", "Packages.Tests", "Consumers"), _folder.File("programs"));
        _folder.Write("NuGet.Config", $"""
            <configuration>
              <packageSources>
                <add key="packed" value="{feed.Folder}" />
              </packageSources>
            </configuration>
            """);
        WriteProgram("GettingStarted", File.ReadAllText(Path.Combine(Repository.Folder, "docs", "getting-started.md")));
        WriteSnippet("MlNet", "MlNetBatchNorm");
        WriteSnippet("Training", "MlNetBatchNorm.Trainer");
        WriteSnippet("Scoring", "MlNetBatchNorm.Onnx");
        WriteSnippet("Service", "MlNetBatchNorm.Hosting");
        Repository.Dotnet(
            _folder.File("programs"),
            "build", "Consumers.slnx", "-c", "Release", "-v", "quiet", "-nologo",
            $"-p:PackedVersion={feed.Version}",
            $"-p:OnnxRuntimeVersion={Repository.Built("OnnxRuntimeVersion")}",
            $"-p:ExtensionsVersion={Repository.Built("ExtensionsVersion")}",
            $"-p:Net8RuntimeVersion={Repository.Built("Net8RuntimeVersion")}",
            $"-p:RestorePackagesPath={_folder.File("packages")}",
            $"-p:RestoreFallbackFolders={Repository.Built("PackageFolder")}");

        // The program that a package's README shows.
        void WriteSnippet(string program, string package) => WriteProgram(program, feed.Text(package, "README.md"));

        void WriteProgram(string program, string page) =>
            File.WriteAllText(_folder.File($"programs/{program}/Program.cs"), Snippet().Match(page).Groups[1].Value);
    }

    /// <summary>A new folder to run a program in.</summary>
    public string NewFolder() => Directory.CreateDirectory(_folder.File(Path.Combine("runs", Guid.NewGuid().ToString("N")))).FullName;

    /// <summary>Runs a program, which must end well, and gives what it printed.</summary>
    public string Output(string name, string workingFolder, params string[] arguments)
    {
        var result = Repository.Run("dotnet", workingFolder, [Assembly(name), .. arguments]);
        Assert.True(result.ExitCode == 0, $"{name}: exit code {result.ExitCode}\n{result.Output}\n{result.Error}");
        return result.Output.Trim();
    }

    /// <summary>The same with a program of which there is one for each framework.</summary>
    public string[] Lines(string name, string framework, string workingFolder, params string[] arguments)
    {
        var program = _folder.File($"programs/{name}/bin/Release/{framework}/{name}{(OperatingSystem.IsWindows() ? ".exe" : "")}");
        var result = Repository.Run(program, workingFolder, arguments);
        Assert.True(result.ExitCode == 0, $"{name}: exit code {result.ExitCode}\n{result.Output}\n{result.Error}");
        return result.Output.Trim().Split('\n');
    }

    /// <summary>Runs a program, which must fail, and gives what it said of it.</summary>
    public string Error(string name, string workingFolder, params string[] arguments)
    {
        var result = Repository.Run("dotnet", workingFolder, [Assembly(name), .. arguments]);
        Assert.NotEqual(0, result.ExitCode);
        return result.Error;
    }

    /// <summary>Starts a program.</summary>
    public Process Start(string name, string workingFolder, params string[] arguments) =>
        Repository.Start("dotnet", workingFolder, [Assembly(name), .. arguments]);

    public void Dispose() => _folder.Dispose();

    private string Assembly(string name) => _folder.File($"programs/{name}/bin/Release/net10.0/{name}.dll");

    private static void Copy(string from, string to)
    {
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    [GeneratedRegex(@"^```csharp\r?\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Snippet();
}
