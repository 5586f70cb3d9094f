using System.CommandLine;
using System.Text.RegularExpressions;
using MlNetBatchNorm.Cli.Commands;

namespace MlNetBatchNorm.Architecture.Tests;

/// <summary>The pages in docs name files and test classes, which have to be there, and every option of the tool.</summary>
public partial class DocumentationTests
{
    private static string Root => Checkout.Root;

    public static TheoryData<string> Pages =>
        [.. Directory.GetFiles(Path.Combine(Root, "docs"), "*.md").Select(path => $"docs/{Path.GetFileName(path)}"), "README.md"];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Page_FilesAndTestClasses_Exist(string page)
    {
        var text = File.ReadAllText(Path.Combine(Root, page));
        var sources = Directory.EnumerateFiles(Path.Combine(Root, "tests"), "*Tests.cs", SearchOption.AllDirectories)
            .Select(Path.GetFileNameWithoutExtension).ToHashSet();
        var missing = new List<string>();
        foreach (var path in Files().Matches(text).Select(match => match.Groups[1].Value))
            if (!Bases(page).Any(folder => File.Exists(Path.Combine(folder, path)) || Directory.Exists(Path.Combine(folder, path))))
                missing.Add(path);
        foreach (var name in TestClasses().Matches(text).Select(match => match.Groups[1].Value))
            if (!sources.Contains(name)) missing.Add(name);
        foreach (var link in Links().Matches(text).Select(match => match.Groups[1].Value))
            if (!File.Exists(Path.Combine(Root, Path.GetDirectoryName(page)!, link))) missing.Add(link);
        Assert.True(missing.Count == 0, $"{page} names what is not there: {string.Join(", ", missing.Distinct())}");
    }

    [Fact]
    public void Options_OfEveryCommand_AreOnAPage()
    {
        var pages = string.Concat(Directory.GetFiles(Path.Combine(Root, "docs"), "*.md").Select(File.ReadAllText));
        Command[] commands =
        [
            DemoCommand.Create(), TrainCommand.Create(), TuneCommand.Create(), ScoreCommand.Create(), FoldCommand.Create(),
            InspectCommand.Create(), DevicesCommand.Create(), ReproduceCommand.Create(),
        ];
        var missing = commands.SelectMany(WithOptions).Distinct()
            .Where(named => named.Option != "--help" && !Regex.IsMatch(pages, $@"{named.Option}(?![\w-])"))
            .Select(named => $"{named.Command} {named.Option}");
        Assert.Equal([], missing);
    }

    private static IEnumerable<(string Command, string Option)> WithOptions(Command command) =>
        command.Options.Select(option => (command.Name, option.Name)).Concat(command.Subcommands.SelectMany(WithOptions));

    // A page may shorten the paths of the assembly that it is about.
    private static IEnumerable<string> Bases(string page) =>
        [Root, Path.Combine(Root, Path.GetDirectoryName(page)!), Path.Combine(Root, "src/Trainer"), Path.Combine(Root, "src/Onnx")];

    // `Layers/DenseLayer.cs`, `src/Onnx/Folding`, `tests/Trainer.Tests/Fixtures`
    [GeneratedRegex(@"`((?:[\w.]+/)+[\w.]+\.(?:cs|py|md|props)|(?:src|tests|docs|bench|scripts|sample-data)/[\w./]*\w)`")]
    private static partial Regex Files();

    [GeneratedRegex(@"`(\w+Tests)`")]
    private static partial Regex TestClasses();

    [GeneratedRegex(@"\]\(([^):#]+)(?:#[^)]*)?\)")]
    private static partial Regex Links();
}
