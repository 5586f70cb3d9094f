using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary><c>report.html</c>: well-formed, complete in itself, with the figures of <c>metrics.json</c>.</summary>
public sealed class ReportTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_Binary_ReportsFiguresCurvesAndFiles()
    {
        _folder.Write("data.csv", ChurnTables.First(400));

        var page = Train("--label", "churn", "--epochs", "3");

        Assert.Equal(
            [
                "ROC curve", "Reliability curve", "Precision and recall over the threshold", "Cost over the threshold",
                .. Enumerable.Repeat("bar with its interval", 19), "Loss by epoch",
            ],
            Charts(page));
        Assert.Equal(
            [
                "In short", "How good it is", "Where it is right and wrong", "From which probability on", "Which columns matter",
                "How it learned", "What it learned from", "The network", "The files, and how to use them",
            ],
            Headings(page));
        RequireSameVerdict(page);
        Assert.Contains(
            "data.csv: 320 rows to learn from, 80 to test on (drawn at random (--seed 0), of each class its share). Predicted is churn, "
            + "Yes or No",
            page.Root!.Value,
            StringComparison.Ordinal);
        Assert.Contains("ml.Model.LoadBatched(\"model.zip\", out _)", page.Root.Value, StringComparison.Ordinal);
        foreach (var file in new[] { "model.zip", "model.onnx", "model.batchnorm.onnx", "metrics.json" })
        {
            var row = Cells(page).Single(cells => cells[0] == file);
            Assert.Equal(new FileInfo(_folder.File($"out/{file}")).Length.ToString("N0", CultureInfo.InvariantCulture), row[1]);
        }

        // The test rows of both classes together are all test rows.
        var recognized = Cells(page).Where(cells => cells.Length == 4 && cells[0] is "Yes" or "No").ToArray();
        Assert.Equal(80, recognized.Sum(cells => int.Parse(cells[1], CultureInfo.InvariantCulture)));
    }

    [Fact]
    public void Train_Multiclass_ShowsEveryClassInTheMatrix()
    {
        _folder.Write("data.csv", "x,y,kind\n" + string.Concat(Enumerable.Range(0, 150).Select(row =>
            string.Create(CultureInfo.InvariantCulture, $"{(row % 3) + (row % 7 / 10.0)},{row % 11},{"abc"[row % 3]}\n"))));

        var page = Train("--label", "kind", "--task", "multiclass", "--epochs", "20", "--no-explain");

        Assert.Equal(["Reliability curve", "Loss by epoch"], Charts(page));
        var matrix = page.Descendants("table").Single(table => table.Attribute("class")?.Value == "matrix");
        Assert.Equal(["is ↓ predicted →", "a", "b", "c", "a", "b", "c"], matrix.Descendants("th").Select(head => head.Value));
        Assert.Equal(
            30,
            matrix.Descendants("td").Where(cell => cell.Value.Length > 0).Sum(cell => int.Parse(cell.Value, CultureInfo.InvariantCulture)));
        var right = matrix.Descendants("td").Where(cell => cell.Attribute("class") is not null && cell.Value.Length > 0);
        var accuracy = right.Sum(cell => int.Parse(cell.Value, CultureInfo.InvariantCulture)) / 30.0;
        Assert.Equal(accuracy, double.Parse(Figures(page)["accuracy"], CultureInfo.InvariantCulture), 1e-9);
    }

    [Fact]
    public void Train_Regression_ShowsPredictedAgainstActualAndTheErrors()
    {
        _folder.Write("data.csv", "x,y,price\n" + string.Concat(Enumerable.Range(0, 150).Select(row =>
            string.Create(CultureInfo.InvariantCulture, $"{row % 13},{row % 11},{(1000 * (row % 13)) + (row % 5)}\n"))));

        var page = Train("--label", "price", "--task", "regression", "--epochs", "3", "--no-explain");

        Assert.Equal(["Predicted against actual", "Distribution of the errors", "Loss by epoch"], Charts(page));
        Assert.Equal(30, page.Descendants("circle").Count());
        Assert.Contains(Cells(page), cells => cells[0] == "95.0 %");
    }

    [Fact]
    public void Train_Diagnose_ShowsTheInsideInPageMetricsAndTable()
    {
        _folder.Write("data.csv", ChurnTables.First(400));

        var page = Train("--label", "churn", "--epochs", "3", "--diagnose");

        Assert.Contains("Inside the network", Headings(page));
        Assert.Contains("Nothing unusual was found", page.Root!.Value, StringComparison.Ordinal);
        Assert.Contains("Running statistics off by", Charts(page));
        var lines = File.ReadAllLines(_folder.File("out/diagnostics.csv"));
        var header = lines[0].Split(',');
        using var metrics = JsonDocument.Parse(File.ReadAllText(_folder.File("out/metrics.json")));
        Assert.Equal(0, metrics.RootElement.GetProperty("findings").GetArrayLength());
        var seen = metrics.RootElement.GetProperty("diagnostics").EnumerateArray().ToArray();
        Assert.Equal(lines.Length - 1, seen.Length);

        // The same in both: what a layer has not is empty in one and missing in the other.
        foreach (var (line, entry) in lines.Skip(1).Zip(seen))
        {
            var given = header.Zip(line.Split(',')).Where(cell => cell.Second.Length > 0)
                .ToDictionary(cell => cell.First, cell => cell.Second);
            Assert.Equal(given.Keys.Order(), entry.EnumerateObject().Select(property => property.Name).Order());
            Assert.Equal(
                double.Parse(given["standardDeviation"], CultureInfo.InvariantCulture),
                entry.GetProperty("standardDeviation").GetDouble(),
                1e-6);
        }

        Assert.Contains(seen, entry => entry.TryGetProperty("gammaMean", out _) && entry.TryGetProperty("statisticsDistance", out _));
        Assert.Equal(3, seen.Max(entry => entry.GetProperty("epoch").GetInt32()));
        Assert.Equal(
            seen.Count(entry => entry.GetProperty("epoch").GetInt32() == 3),
            Cells(page).Count(cells => cells.Length == 14 && seen.Any(entry => entry.GetProperty("layer").GetString() == cells[0])));
    }

    [Fact]
    public void Train_NamesWithMarkup_AreShownAndDoNothing()
    {
        // A control character, too: XML has no way to write one.
        var rows = Enumerable.Range(0, 120).Select(row => string.Create(
            CultureInfo.InvariantCulture,
            $"{row % 17},{(row % 2 == 0 ? "<b>&amp;\u0001" : "\"\"><script>alert(1)</script>")},{(row % 3 == 0 ? "<yes>" : "n&o")}"));
        _folder.Write("data.csv", "<i>x</i>,a & b,\"<script src='http://example.org/x.js'></script>\"\n"
            + string.Join('\n', rows.Select(row => string.Join(',', row.Split(',').Select(cell => $"\"{cell}\"")))) + "\n");

        var page = Train("--label", "<script src='http://example.org/x.js'></script>", "--positive", "<yes>", "--epochs", "1");

        Assert.Empty(page.Descendants("script"));
        Assert.Equal("Predicting <script src='http://example.org/x.js'></script>", page.Descendants("h1").Single().Value);
        Assert.Contains(page.Descendants("td"), cell => cell.Value == "<i>x</i>");
        Assert.Contains("<yes>", page.Root!.Value, StringComparison.Ordinal);
    }

    // 1,500 numbers, of which the one in place 1,401 has a gap: it is shown, as are the label and the first 998 of the others.
    [Fact]
    public void Train_VeryManyColumns_ListsThoseWithSomethingToSayFirst()
    {
        var header = string.Join(',', Enumerable.Range(0, 1500).Select(i => $"n{i}"));
        _folder.Write("data.csv", $"{header},y\n" + string.Concat(Enumerable.Range(0, 20).Select(row =>
            string.Join(',', Enumerable.Range(0, 1500).Select(i => i == 1400 && row % 3 == 0 ? "" : $"{(row + i) % 31}"))
            + $",{(row % 2 == 0 ? "yes" : "no")}\n")));

        var page = Train("--label", "y", "--epochs", "1", "--no-explain");

        string[] listed = [.. Cells(page).Where(cells => cells.Length == 5 && cells[1] is "numbers" or "what is predicted")
            .Select(cells => cells[0])];
        Assert.Equal([.. Enumerable.Range(0, 998).Select(i => $"n{i}"), "n1400", "y"], listed);
        Assert.Contains("Not in this table, so that it can be read: 501 columns (numbers).", page.Root!.Value, StringComparison.Ordinal);
    }

    private XDocument Train(params string[] arguments)
    {
        var result = Tool.Run(_folder.Path, ["train", "data.csv", "--out", "out", "--preset", "fast", "--hidden", "16,8", .. arguments]);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("out/report.html", result.Output.Replace('\\', '/'), StringComparison.Ordinal);
        var text = File.ReadAllText(_folder.File("out/report.html"));
        Assert.StartsWith("<!DOCTYPE html>\n<html lang=\"en\">", text, StringComparison.Ordinal);
        var page = XDocument.Parse(text);
        RequireSelfContained(page);
        RequireSameFigures(page);
        return page;
    }

    // No element or attribute that loads or runs anything, and no style that does.
    private static void RequireSelfContained(XDocument page)
    {
        string[] allowed = ["class", "style", "lang", "charset", "name", "content", "role", "viewBox", "transform", "points", "data-figure",
        "data-value",
            "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height", "text-anchor", "d", "tabindex"];
        Assert.Empty(
            page.Descendants().SelectMany(element => element.Attributes()).Select(attribute => attribute.Name.LocalName).Distinct().Except(
                allowed));
        Assert.DoesNotContain(
            page.Descendants(),
            element => element.Name.LocalName is "script" or "link" or "img" or "iframe" or "object" or "use" or "image" or "a");
        var styles = string.Concat(
            page.Descendants("style").Select(style => style.Value).Concat(
                page.Descendants().Attributes("style").Select(style => style.Value)));
        Assert.DoesNotMatch(new Regex(@"url\(|@import|http", RegexOptions.IgnoreCase), styles);

        // <td/> would be a beginning without an end to a browser.
        Assert.DoesNotContain(
            page.Descendants(), element => element.IsEmpty && element.Name.LocalName is not "meta" && !element.Ancestors("svg").Any());
    }

    private void RequireSameFigures(XDocument page)
    {
        using var metrics = JsonDocument.Parse(File.ReadAllText(_folder.File("out/metrics.json")));
        var expected = metrics.RootElement.GetProperty("test").EnumerateObject().ToDictionary(
            figure => figure.Name, figure => figure.Value.GetDouble());
        Assert.Equal(
            expected, Figures(page).ToDictionary(figure => figure.Key, figure => double.Parse(figure.Value, CultureInfo.InvariantCulture)));
        foreach (var shown in page.Descendants("strong").Where(element => element.Attribute("data-figure") is not null))
            Assert.Equal(
                expected[shown.Attribute("data-figure")!.Value],
                double.Parse(shown.Value, CultureInfo.InvariantCulture),
                Math.Abs(expected[shown.Attribute("data-figure")!.Value] * 1e-3) + 1e-4);
    }

    private void RequireSameVerdict(XDocument page)
    {
        using var metrics = JsonDocument.Parse(File.ReadAllText(_folder.File("out/metrics.json")));
        var sentences = metrics.RootElement.GetProperty("assessment").GetProperty("verdict").EnumerateArray()
            .Select(sentence => sentence.GetString()).ToArray();
        Assert.InRange(sentences.Length, 2, 5);
        Assert.Equal(sentences, page.Descendants("ul").First().Elements("li").Select(item => item.Value));
    }

    private static Dictionary<string, string> Figures(XDocument page) => page.Descendants("strong")
        .Where(element => element.Attribute("data-figure") is not null)
        .ToDictionary(element => element.Attribute("data-figure")!.Value, element => element.Attribute("data-value")!.Value);

    private static IEnumerable<string> Charts(XDocument page) => page.Descendants("svg").Select(chart => chart.Element("title")!.Value);

    private static IEnumerable<string> Headings(XDocument page) => page.Descendants("h2").Select(heading => heading.Value);

    private static IEnumerable<string[]> Cells(XDocument page) =>
        page.Descendants("tr").Select(row => row.Elements("td").Select(cell => cell.Value).ToArray()).Where(cells => cells.Length > 0);
}
