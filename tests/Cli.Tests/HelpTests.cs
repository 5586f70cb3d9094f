using System.Text.RegularExpressions;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>What the help says.</summary>
public partial class HelpTests
{
    // The defaults of docs/defaults.md, by hand.
    [Theory]
    [InlineData("--hidden", "accurate 64,64, multiclass 128,64; fast 64,32, multiclass 256,128, regression 128,64")]
    [InlineData("--activation", "accurate silu; fast sigmoid, multiclass relu, regression relu")]
    [InlineData("--dropout", "accurate 0.05; fast 0, regression 0.5; none above 5,000 rows")]
    [InlineData("--epochs", "accurate 40, multiclass 60; fast 30, regression 60; accurate more for few rows and fewer for very many")]
    [InlineData(
        "--patience",
        "accurate 8, multiclass 12, regression 40; fast 8, multiclass 0, regression 0; accurate more for few rows, for numbers all epochs")]
    [InlineData("--validation-fraction", "accurate 0; fast 0.1, regression 0")]
    [InlineData("--lr", "accurate 0.002; fast 0.001, multiclass 0.003, regression 0.003 for adam and adamw, otherwise 0.1")]
    [InlineData("--schedule", "accurate cosine; fast constant, multiclass cosine, regression cosine")]
    public void Help_DefaultByTheTask_IsShownInNumbers(string option, string expected)
    {
        var text = Spaces().Replace(Help("train"), " ");
        var from = text.IndexOf($" {option} <", StringComparison.Ordinal);
        var shown = text[text.IndexOf("[default", from, StringComparison.Ordinal)..];
        Assert.StartsWith($"[default: {expected}]", shown, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("train")]
    [InlineData("tune")]
    public void Help_NoOption_LeavesItsDefaultOpen(string command) =>
        Assert.DoesNotContain("by the task", Spaces().Replace(Help(command), " "), StringComparison.Ordinal);

    private static string Help(string command)
    {
        using var folder = new TemporaryFolder();
        var result = Tool.Run(folder.Path, command, "--help");
        Assert.Equal(0, result.ExitCode);
        return result.Output;
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
