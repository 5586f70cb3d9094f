using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Cli.Reporting.Html;
using MlNetBatchNorm.Onnx.Files;
using Spectre.Console;

namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>The experiment as a table, as JSON and as a page.</summary>
internal sealed class DepthReport(IReadOnlyList<DepthTrial> trials, int trainingRows, int testRows, int epochs, int seed)
{
    private static readonly string[] Header =
    [
        "learning rate", "hidden layers", "test accuracy without", "with batch norm", "s/epoch without", "with batch norm",
    ];

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>One network as a line.</summary>
    public static string Line(DepthTrial trial) => string.Create(
        CultureInfo.InvariantCulture,
        $"{trial.HiddenLayers,3} hidden layers {(trial.BatchNorm ? "with" : "without"),-7} batch norm, learning rate "
        + $"{trial.LearningRate}: test accuracy {Accuracy(trial)}, {Seconds(trial)} s/epoch");

    /// <summary>Prints the table to stdout.</summary>
    public void Print()
    {
        var table = new Table().AddColumns(Header).Border(TableBorder.Markdown);
        foreach (var column in table.Columns) column.Alignment(Justify.Right);
        foreach (var row in Rows()) table.AddRow(row);
        Output.Print(table);
    }

    /// <summary>Writes <c>metrics.json</c> and <c>report.html</c>.</summary>
    public IReadOnlyList<string> Write(string folder)
    {
        Directory.CreateDirectory(folder);
        var (json, page) = (Path.Combine(folder, "metrics.json"), Path.Combine(folder, HtmlPage.ReportFile));
        AtomicFile.WriteText(json, ToJson().ToJsonString(Indented) + "\n");
        AtomicFile.WriteText(page, HtmlPage.Create(
            "Depth and batch normalization",
            string.Create(
                CultureInfo.InvariantCulture,
                $"{trainingRows:N0} letters to learn from, {testRows:N0} to test on, {epochs} epochs, seed {seed}"),
            Html.P(
                "Networks of dense layers of 64 units with relu, alike in everything but depth and batch normalization, trained by "
                + "gradient descent with momentum 0.9. Ioffe and Szegedy (2015) introduced batch normalization so that deep networks can "
                + "be trained, and at high rates."),
            new XElement(
                "div", new XAttribute("class", "charts"), trials.Select(trial => trial.LearningRate).Distinct().Select(CreateChart)),
            Html.Table(Header, Rows().Select(row => row.Select(Html.Number)))));
        return [json, page];
    }

    private XElement CreateChart(float learningRate)
    {
        var chosen = trials.Where(trial => trial.LearningRate == learningRate).ToList();
        var chart = new Chart(
            string.Create(CultureInfo.InvariantCulture, $"Test accuracy at learning rate {learningRate}"),
            Axis.For("hidden layers", chosen.Select(trial => (double)trial.HiddenLayers)),
            new Axis("test accuracy", 0, 1));
        foreach (var (batchNorm, style) in new[] { (true, "a"), (false, "b") })
        {
            var points = chosen
                .Where(trial => trial.BatchNorm == batchNorm)
                .Select(trial => ((double)trial.HiddenLayers, trial.TestAccuracy ?? 0))
                .ToList();
            chart.Line(points, style).Dots(points, style);
        }

        return Html.Figure(
            chart.ToSvg(),
            string.Create(CultureInfo.InvariantCulture, $"Learning rate {learningRate}"),
            Html.Swatch("a"),
            "with batch normalization",
            Html.Swatch("b"),
            "without");
    }

    private IEnumerable<string[]> Rows() => trials.GroupBy(trial => (trial.LearningRate, trial.HiddenLayers)).Select(pair =>
    {
        var (without, with) = (pair.Single(trial => !trial.BatchNorm), pair.Single(trial => trial.BatchNorm));
        return new[]
        {
            pair.Key.LearningRate.ToString(CultureInfo.InvariantCulture),
            pair.Key.HiddenLayers.ToString(CultureInfo.InvariantCulture),
            Accuracy(without),
            Accuracy(with),
            Seconds(without),
            Seconds(with),
        };
    });

    private JsonObject ToJson() => new()
    {
        ["data"] = "letters",
        ["trainingRows"] = trainingRows,
        ["testRows"] = testRows,
        ["epochs"] = epochs,
        ["seed"] = seed,
        ["trials"] = new JsonArray([.. trials.Select(trial => new JsonObject
        {
            ["hiddenLayers"] = trial.HiddenLayers,
            ["batchNorm"] = trial.BatchNorm,
            ["learningRate"] = trial.LearningRate,
            ["testAccuracy"] = trial.TestAccuracy,
            ["trainingLoss"] = trial.TrainingLoss,
            ["secondsPerEpoch"] = trial.SecondsPerEpoch,
        })]),
    };

    private static string Accuracy(DepthTrial trial) => trial.TestAccuracy?.ToString("0.0000", CultureInfo.InvariantCulture) ?? "diverged";

    private static string Seconds(DepthTrial trial) => trial.SecondsPerEpoch?.ToString("0.00", CultureInfo.InvariantCulture) ?? "–";
}
