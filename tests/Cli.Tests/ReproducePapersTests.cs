using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>The papers' experiments in a form that is short enough for a test, beside what is known of them.</summary>
public sealed partial class ReproducePapersTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Layers_AtFirstWeights_HasTheDeviationsKnownFromPyTorch()
    {
        var layers = Reproduce("layers").GetProperty("layers").EnumerateArray().ToArray();

        Assert.Equal(9 * 20, layers.Length);

        // Three seeds in PyTorch gave these; at layer 20 they differ by a factor of 2 among themselves, which are 20 factors of 4 %.
        Close(0.185, 0.002, Of("no batch norm", 1, "standardDeviation"));
        Within(5e-6, 1.3, Of("no batch norm", 5, "standardDeviation"));
        Within(6e-12, 1.6, Of("no batch norm", 10, "standardDeviation"));
        Within(2e-23, 2.5, Of("no batch norm", 20, "standardDeviation"));
        Within(1e-22, 2.5, Of("no batch norm", 1, "gradientStandardDeviation"));
        foreach (var layer in new[] { 1, 5, 10 })
            Close(0.59, 0.015, Of("batch norm before the activation", layer, "standardDeviation"));
        foreach (var layer in new[] { 1, 5, 10, 20 })
            Close(1, 0.003, Of("batch norm after the activation", layer, "standardDeviation"));
        Close(40, 4, Of("batch norm after the activation", 1, "gradientStandardDeviation"));

        // A layer of relus multiplies gradients by √(π/(π−1)) behind a batch normalization (Yang et al. 2019), 19 times to layer 1.
        Within(Math.Pow(Math.PI / (Math.PI - 1), 9.5), 1.35, Of("batch norm before the activation", 1, "gradientStandardDeviation"));

        // He's weights keep the mean square; without batch normalization the mean grows at the cost of the deviation.
        var he = layers.Single(layer => Is(layer, "He", "no batch norm", 20));
        Within(
            1,
            3,
            Math.Sqrt(Math.Pow(he.GetProperty("mean").GetDouble(), 2) + Math.Pow(he.GetProperty("standardDeviation").GetDouble(), 2)));
        Assert.All(layers, layer => Close(0.5, 0.1, layer.GetProperty("zeroShare").GetDouble()));

        // The same seed gives the same files.
        var first = Files();
        Reproduce("layers");
        Assert.Equal(first, Files());

        double Of(string batchNorm, int number, string what) =>
            layers.Single(layer => Is(layer, "Gaussian 0.01", batchNorm, number)).GetProperty(what).GetDouble();

        static bool Is(JsonElement layer, string weights, string batchNorm, int number) =>
            layer.GetProperty("firstWeights").GetString() == weights && layer.GetProperty("batchNorm").GetString() == batchNorm
            && layer.GetProperty("layer").GetInt32() == number;

        Dictionary<string, string> Files() => Directory.GetFiles(_folder.File("out"), "*.csv").ToDictionary(path => path, File.ReadAllText);
    }

    [Fact]
    public void Landscape_WithBatchNorm_IsSmoother()
    {
        var networks = Reproduce("landscape", "--data", SampleTables.PathOf("letters.csv"), "--steps", "250")
            .GetProperty("networks").EnumerateArray().ToArray();

        // The claim of the paper, in the medians over 60 moments.
        var (without, with) = (networks.Single(Named("without batch norm")), networks.Single(Named("with batch norm")));
        Assert.True(Median(with, Range) < 0.5 * Median(without, Range));
        Assert.True(Median(with, Change) < 0.5 * Median(without, Change));
        Assert.InRange(with.GetProperty("testAccuracy").GetDouble(), 0.6, 1);

        // Both begin at about the loss of a guess among 26 letters, and at the same place for each length of 0.
        Assert.All(networks, network => Assert.InRange(
            network.GetProperty("moments")[0].GetProperty("loss").GetDouble(), Math.Log(26) - 0.5, Math.Log(26) + 1.5));
        Assert.Equal([0L, 250L], new[] { 0, 59 }.Select(moment => with.GetProperty("moments")[moment].GetProperty("step").GetInt64()));

        static Func<JsonElement, bool> Named(string name) => network => network.GetProperty("network").GetString() == name;

        static double Median(JsonElement network, Func<JsonElement, double> value) =>
            network.GetProperty("moments").EnumerateArray().Select(value).Order().ElementAt(30);

        static double Range(JsonElement moment)
        {
            var losses = moment.GetProperty("losses").EnumerateArray().Select(loss => loss.GetDouble()).ToArray();
            return losses.Max() - losses.Min();
        }

        static double Change(JsonElement moment) =>
            moment.GetProperty("gradientChanges").EnumerateArray().Max(change => change.GetDouble());
    }

    [Fact]
    public void Figure1_SmallFirstWeightsAtRate01_LearnsOnlyWithBatchNorm()
    {
        SampleImages.Write(_folder, "data", training: 1200, test: 300);

        var root = Reproduce("figure1", "--data", "data", "--steps", "500", "--rates", "0.1");

        var trainings = root.GetProperty("trainings").EnumerateArray().ToArray();
        Assert.Equal(4, trainings.Length);
        Assert.InRange(Final("Gaussian 0.01", false), 0, 0.2);
        Assert.InRange(Final("Gaussian 0.01", true), 0.9, 1);
        Assert.InRange(Final("Glorot", true), 0.9, 1);

        // Where the better one first is as good as the other one ever is.
        var pair = root.GetProperty("compared").EnumerateArray().First();
        var reached = pair.GetProperty("stepsWith").GetInt64();
        var best = pair.GetProperty("bestTestAccuracyWithout").GetDouble();
        var moments = Training("Gaussian 0.01", true).GetProperty("moments").EnumerateArray().ToArray();
        Assert.Equal(
            reached,
            moments.First(moment => moment.GetProperty("testAccuracy").GetDouble() >= best).GetProperty("step").GetInt64());
        Assert.Equal(500, moments[^1].GetProperty("step").GetInt64());

        // Percentiles in their order, for 2 kinds of weights with and without.
        var bands = File.ReadLines(_folder.File("out/sigmoid-input.csv"))
            .Where(line => line.Contains("15th to 85th", StringComparison.Ordinal)).Select(line => line.Split(',')).ToArray();
        Assert.Equal(4 * moments.Length, bands.Length);
        Assert.All(bands, band => Assert.True(Number(band[^2]) <= Number(band[^1])));

        static double Number(string cell) => double.Parse(cell, CultureInfo.InvariantCulture);

        JsonElement Training(string weights, bool batchNorm) => trainings.Single(training =>
            training.GetProperty("firstWeights").GetString() == weights && training.GetProperty("batchNorm").GetBoolean() == batchNorm);

        double Final(string weights, bool batchNorm) => Training(weights, batchNorm).GetProperty("finalTestAccuracy").GetDouble();
    }

    [Fact]
    public void Figure1_NoData_SaysInOneLineHowToGetThem()
    {
        Assert.Contains(
            "scripts/mnist.sh",
            Tool.Run(_folder.Path, "reproduce", "figure1", "--out", "out").RequireOneLineOfError(),
            StringComparison.Ordinal);
        Assert.Empty(_folder.Files());
    }

    [Theory]
    [InlineData("figure1", "--rates", "0.1,-1", "'0.1,-1' is no list for --rates; write rates above 0 with commas, as 0.1,1.")]
    [InlineData("depth", "--depths", "5,x", "'5,x' is no list for --depths; write positive numbers with commas, as 5,10.")]
    [InlineData("landscape", "--steps", "59", "--steps is 59, but must be from 60 to 1000000.")]
    public void Reproduce_OptionThatCannotBe_IsWrongUsage(string experiment, string option, string value, string message)
    {
        var result = Tool.Run(_folder.Path, "reproduce", experiment, "--out", "out", option, value);

        Assert.Equal(2, result.ExitCode);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
        Assert.Empty(_folder.Files());
    }

    // Runs it, and looks at what all of them have: numbers, a page with a figure for each CSV file, printed findings.
    private JsonElement Reproduce(string experiment, params string[] arguments)
    {
        var result = Tool.Run(_folder.Path, ["reproduce", experiment, "--out", "out", "--quick", "--seed", "3", .. arguments]);

        Assert.True(result.ExitCode == 0, result.Error);
        using var metrics = JsonDocument.Parse(File.ReadAllText(_folder.File("out/metrics.json")));
        var root = metrics.RootElement.Clone();
        Assert.Equal((experiment, 3, true), (
            root.GetProperty("experiment").GetString(), root.GetProperty("seed").GetInt32(), root.GetProperty("quick").GetBoolean()));
        var text = File.ReadAllText(_folder.File("out/report.html"));
        Assert.DoesNotMatch(Loads(), text);
        var page = XDocument.Parse(text);
        Assert.Equal(
            Directory.GetFiles(_folder.File("out"), "*.csv").Select(Path.GetFileName).Order(),
            page.Descendants("summary").Select(summary => summary.Value.Split(' ')[^1]).Order());
        Assert.StartsWith(
            $"mlnetbn reproduce {experiment} --out out --quick --seed 3", page.Descendants("code").Last().Value, StringComparison.Ordinal);
        foreach (var chart in page.Descendants("svg"))
            Assert.All(chart.Elements("text").TakeLast(2), label => Assert.Matches(Unit(), label.Value));
        Assert.All(root.GetProperty("found").EnumerateArray(), sentence =>
            Assert.Contains(sentence.GetString()!, result.Output, StringComparison.Ordinal));
        return root;
    }

    private static void Close(double expected, double tolerance, double actual) => Assert.Equal(expected, actual, tolerance);

    private static void Within(double expected, double factor, double actual) =>
        Assert.InRange(actual, expected / factor, expected * factor);

    [GeneratedRegex(@"<script|<link|<img|src=|href=|url\(|@import|https?:")]
    private static partial Regex Loads();

    [GeneratedRegex(@"^.+ \(.+\)$")]
    private static partial Regex Unit();
}
