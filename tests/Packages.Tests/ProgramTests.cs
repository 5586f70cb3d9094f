using System.Globalization;
using System.Net.Http.Json;
using System.Text.RegularExpressions;

namespace MlNetBatchNorm.Packages.Tests;

/// <summary>People's programs do with the packages what they are for.</summary>
[Collection(Feed.Collection)]
public sealed partial class ProgramTests(Feed feed, Programs programs) : IClassFixture<Programs>
{
    [Fact]
    public void Console_TrainedAndSaved_LoadsAndScoresInOtherProcesses()
    {
        var folder = programs.NewFolder();
        var probability = Number(programs.Output("App", folder, "train"));
        Assert.InRange(probability, 0, 1);
        foreach (var way in new[] { "load", "loadBatched", "score", "transform" })
            Assert.Equal(probability, Number(programs.Output("App", folder, way)), 1e-4);
        Assert.Equal(1, Number(programs.Output("App", folder, "fold")));
    }

    [Fact]
    public void Libraries_OnNet8AndNet10_TrainFoldAndScoreToTheSameBit()
    {
        var (newer, older) = (programs.NewFolder(), programs.NewFolder());
        var expected = programs.Lines("Frameworks", "net10.0", newer);
        var printed = programs.Lines("Frameworks", "net8.0", older, newer);
        Assert.StartsWith("on 10.", expected[0], StringComparison.Ordinal);
        Assert.StartsWith("on 8.", printed[0], StringComparison.Ordinal);
        Assert.InRange(Number(expected[1]["AUC ".Length..]), 0.8, 1);
        Assert.Equal(10, expected.Length);

        // What it made itself, and what the other made.
        Assert.Equal([.. expected[1..], .. expected[^5..]], printed[1..]);
    }

    [Fact]
    public void Console_WithoutTheNativePackage_SaysWhichToAdd()
    {
        var folder = programs.NewFolder();
        programs.Output("App", folder, "train");
        foreach (var way in new[] { "train", "loadBatched", "score", "transform", "fold" })
        {
            var error = programs.Error("AppWithoutNative", folder, way);
            Assert.Contains("NativeRuntimeException: ONNX Runtime's native library", error, StringComparison.Ordinal);
            Assert.Contains("is missing", error, StringComparison.Ordinal);
            Assert.Contains("dotnet add package Microsoft.ML.OnnxRuntime", error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Tool_Installed_RunsTheDemo()
    {
        var folder = programs.NewFolder();
        Repository.Dotnet(folder, "tool", "install", "mlnetbn", "--tool-path", "tool", "--version", feed.Version, "--source", feed.Folder);
        var tool = Path.Combine(folder, "tool", OperatingSystem.IsWindows() ? "mlnetbn.exe" : "mlnetbn");
        var demo = Repository.Run(tool, folder, "demo");
        Assert.True(demo.ExitCode == 0, demo.Error);
        var auc = Number(TestAuc().Match(demo.Output).Groups[1].Value);
        Assert.InRange(auc, 0.82, 0.86);
        Assert.True(File.Exists(Path.Combine(folder, "demo-output", "model.onnx")));
    }

    [Fact]
    public async Task Readmes_OfTrainingScoringAndService_WorkOneAfterTheOther()
    {
        var folder = programs.NewFolder();
        Assert.Matches(@"^the loss is 0\.\d+ after \d+ epochs$", programs.Output("Training", folder));
        var scoring = programs.Output("Scoring", folder).Split('\n', StringSplitOptions.TrimEntries);
        Assert.Matches(@"^-?[\d.]+ [\d.E-]+$", scoring[0]); // score and probability
        Assert.Matches(@"^2 folded, the largest difference is \d\.\dE-\d+ of an output's scale$", scoring[1]);

        using var service = programs.Start("Service", folder, "--urls", "http://127.0.0.1:0");
        try
        {
            using var client = new HttpClient { BaseAddress = await AddressAsync(service.StandardOutput) };
            Assert.Equal("Healthy", await client.GetStringAsync(new Uri("/health", UriKind.Relative)));
            Assert.True(await ScoreAsync(client, 0, 0) > 0.5, "in the middle of the circle");
            Assert.True(await ScoreAsync(client, 0.95f, 0.95f) < 0.5, "in the corner");

            // What cannot be scored is the caller's fault, and the answer says what is wrong with it.
            Assert.Equal("\"2 finite numbers are needed, but 3 were given.\"", await RefusedAsync(client, "[1, 2, 3]"));
            Assert.Equal("\"2 finite numbers are needed, but 0 were given.\"", await RefusedAsync(client, "[]"));
            Assert.Equal("\"2 finite numbers are needed, but 2 were given.\"", await RefusedAsync(client, "[1, 1e39]"));
            foreach (var body in new[] { "[1, null]", "null", "{}", "[1," }) await RefusedAsync(client, body);
        }
        finally
        {
            service.Kill(entireProcessTree: true);
            await service.WaitForExitAsync();
        }
    }

    [Fact]
    public void Readme_OfMlNetBatchNorm_TrainsSavesAndPredicts()
    {
        var folder = programs.NewFolder();
        var printed = Printed().Match(programs.Output("MlNet", folder));
        Assert.InRange(Number(printed.Groups[1].Value), 0.95, 1);
        Assert.InRange(Number(printed.Groups[2].Value), 0.8, 1);
        Assert.True(File.Exists(Path.Combine(folder, "model.zip")) && File.Exists(Path.Combine(folder, "pipeline.onnx")));
    }

    [Fact]
    public void GettingStarted_TrainsOnATableSavesAndPredicts()
    {
        var folder = programs.NewFolder();
        File.Copy(Path.Combine(Repository.Folder, "sample-data", "churn.csv"), Path.Combine(folder, "churn.csv"));
        var lines = programs.Output("GettingStarted", folder).Split('\n');
        var printed = Printed().Match(string.Join('\n', lines[^2..]));
        Assert.InRange(Number(printed.Groups[1].Value), 0.75, 0.9);
        Assert.InRange(Number(printed.Groups[2].Value), 0.4, 0.9);
        Assert.True(File.Exists(Path.Combine(folder, "model.zip")) && File.Exists(Path.Combine(folder, "pipeline.onnx")));
    }

    [Fact]
    public void FSharp_Project_TrainsOne()
    {
        var printed = programs.Output("FSharp", programs.NewFolder());
        Assert.StartsWith("AUC ", printed, StringComparison.Ordinal);
        Assert.InRange(Number(printed["AUC ".Length..]), 0.9, 1);
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    private static async Task<float> ScoreAsync(HttpClient client, float x, float y)
    {
        using var response = await client.PostAsJsonAsync("/score", new[] { x, y });
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadFromJsonAsync<float>();
    }

    private static async Task<string> RefusedAsync(HttpClient client, string body)
    {
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var response = await client.PostAsync(new Uri("/score", UriKind.Relative), content);
        Assert.Equal(System.Net.HttpStatusCode.BadRequest, response.StatusCode);
        return await response.Content.ReadAsStringAsync();
    }

    private static async Task<Uri> AddressAsync(StreamReader log)
    {
        while (await log.ReadLineAsync() is { } line)
            if (Listening().Match(line) is { Success: true } found) return new Uri(found.Groups[1].Value);
        throw new InvalidOperationException("The service ended before it listened.");
    }

    [GeneratedRegex(@"Now listening on: (\S+)")]
    private static partial Regex Listening();

    [GeneratedRegex(@"^test AUC +([\d.]+)", RegexOptions.Multiline)]
    private static partial Regex TestAuc();

    [GeneratedRegex(@"^AUC ([\d.]+)\s+leaves with probability ([\d.]+)$")]
    private static partial Regex Printed();
}
