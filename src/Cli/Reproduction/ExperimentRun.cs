using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Cli.Reporting.Html;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Graph;
using Spectre.Console;
using Progress = MlNetBatchNorm.Cli.Reporting.Progress;

namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>How an experiment was called.</summary>
/// <param name="Command">The whole command line, as it stands on the page.</param>
/// <param name="Folder">The folder for the results.</param>
/// <param name="Seed">The seed of everything random.</param>
/// <param name="IsQuick">Whether it is to be over in a minute.</param>
/// <param name="Data">Where its data are; empty where it makes them itself.</param>
/// <param name="Values">The options of its own that were given, by name.</param>
internal sealed record ExperimentCall(
    string Command, string Folder, int Seed, bool IsQuick, string Data, IReadOnlyDictionary<string, object> Values);

/// <summary>
/// An experiment that goes on: what it was called with, how far it is, and what came out so far. At the end there are <c>report.html</c>,
/// <c>metrics.json</c> and a CSV file for each figure.
/// </summary>
internal sealed class ExperimentRun
{
    private const string MetricsFile = "metrics.json";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private readonly ExperimentCall _call;
    private readonly List<object> _page = [];
    private readonly List<string> _findings = [];
    private readonly List<PlottedFigure> _figures = [];
    private readonly List<Action> _printed = [];
    private readonly List<(string Name, Action<string> Write)> _files = [];
    private readonly JsonObject _metrics = [];
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private readonly Progress _progress;

    private ExperimentRun(ExperimentCall call, Progress progress) => (_call, _progress) = (call, progress);

    /// <summary>The seed of everything random.</summary>
    public int Seed => _call.Seed;

    /// <summary>Whether it is to be over in a minute: fewer steps, a smaller sweep. The page says so.</summary>
    public bool IsQuick => _call.IsQuick;

    /// <summary>Where the data are.</summary>
    public string Data => _call.Data;

    /// <summary>Numbers for programs, with their units in the keys; what is the same for all experiments is added in front.</summary>
    public JsonObject Metrics => _metrics;

    /// <summary>Does an experiment, writes what came out, and prints it.</summary>
    /// <exception cref="IOException">Nothing can be written to the folder, or the data cannot be read.</exception>
    public static void Execute(Experiment experiment, ExperimentCall call)
    {
        ArgumentNullException.ThrowIfNull(experiment);
        ArgumentNullException.ThrowIfNull(call);
        OutputFolder.Require(call.Folder, HtmlPage.ReportFile, MetricsFile);
        experiment.Data?.Require(call.Data);
        ExperimentRun run;
        using (var progress = Progress.Begin(experiment.Name)) experiment.Run(run = new ExperimentRun(call, progress));
        run.Print();
        OutputFolder.WriteAlone(call.Folder, () => Console.WriteLine($"written: {string.Join(", ", run.Write(experiment))}"));
    }

    /// <summary>The value of an option, or what it is where it was not given.</summary>
    public T Get<T>(ExperimentOption<T> option)
        where T : notnull
    {
        ArgumentNullException.ThrowIfNull(option);
        return _call.Values.TryGetValue(option.Name, out var value) ? (T)value : IsQuick ? option.Quick : option.Default;
    }

    /// <summary>Says how much there is to do; the time left follows from that and <see cref="Advance"/>.</summary>
    /// <param name="total">All of it.</param>
    /// <param name="unit">What it is counted in. Default: training steps.</param>
    public void Expect(double total, string unit = Progress.Steps) => _progress.Stage("experiment", unit, total);

    /// <summary>Says what the work is at, as "without batch norm, rate 0.1".</summary>
    public void At(string detail) => _progress.Detail(detail);

    /// <summary>Some more is done.</summary>
    public void Advance(double amount) => _progress.Advance(amount);

    /// <summary>The options of a training of <see cref="NetworkTrainer"/>, each step of which then is one more done.</summary>
    /// <param name="options">How it is trained.</param>
    /// <param name="detail">What it is.</param>
    public TrainingOptions Follow(TrainingOptions options, string detail) => _progress.Follow(options, detail);

    /// <summary>Says something on stderr while the work goes on.</summary>
    public static void Note(string line) => Console.Error.WriteLine(line);

    /// <summary>Begins a section of the page.</summary>
    public void Section(string heading) => _page.Add(Html.H2(heading));

    /// <summary>Adds a paragraph to the page.</summary>
    public void Text(string paragraph) => _page.Add(Html.P(paragraph));

    /// <summary>Adds a sentence of what came out; those stand on the page's top, and are printed.</summary>
    public void Found(string sentence) => _findings.Add(sentence);

    /// <summary>Adds a figure to the page, and its file.</summary>
    public void Add(PlottedFigure figure)
    {
        ArgumentNullException.ThrowIfNull(figure);
        _figures.Add(figure);
        _page.Add(figure.ToHtml());
    }

    /// <summary>Adds a table to the page.</summary>
    /// <param name="header">The heads of its columns.</param>
    /// <param name="rows">Its cells.</param>
    /// <param name="isPrinted">Whether it is printed, too.</param>
    public void Add(IReadOnlyList<string> header, IReadOnlyList<IReadOnlyList<string>> rows, bool isPrinted = true)
    {
        _page.Add(new XElement(
            "div", new XAttribute("class", "scroll"), Html.Table(header, rows.Select(row => row.Select(Cell)))));
        if (!isPrinted) return;
        var table = new Table().AddColumns([.. header]).Border(TableBorder.Markdown);
        foreach (var column in table.Columns) column.Alignment(Justify.Right);
        foreach (var row in rows) table.AddRow([.. row.Select(TerminalText.Cell)]);
        Print(() =>
        {
            Output.Print(table);
            Console.WriteLine();
        });
    }

    /// <summary>Adds a file to the folder of the results.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="write">Writes it, given its path.</param>
    public void Add(string name, Action<string> write) => _files.Add((name, write));

    /// <summary>Prints something to stdout when the experiment is over.</summary>
    public void Print(Action print) => _printed.Add(print);

    // Words may be broken into lines, numbers not.
    private static object Cell(string text) => text is [var first, ..] && char.IsAsciiLetter(first) ? text : Html.Number(text);

    private void Print()
    {
        foreach (var print in _printed) print();
        foreach (var sentence in _findings) Console.WriteLine(sentence);
    }

    private List<string> Write(Experiment experiment)
    {
        Directory.CreateDirectory(_call.Folder);
        List<string> files = [];
        Put(HtmlPage.ReportFile, Page(experiment));
        Put(MetricsFile, ToJson(experiment).ToJsonString(Indented) + "\n");
        foreach (var figure in _figures) Put(figure.FileName, figure.ToCsv());
        foreach (var (name, write) in _files)
        {
            files.Add(Path.Combine(_call.Folder, name));
            write(files[^1]);
        }

        return files;

        void Put(string name, string content)
        {
            files.Add(Path.Combine(_call.Folder, name));
            AtomicFile.WriteText(files[^1], content);
        }
    }

    private string Page(Experiment experiment) => HtmlPage.Create(
        experiment.Title,
        string.Create(
            CultureInfo.InvariantCulture,
            $"mlnetbn {ModelFile.ProducerVersion}, {DateTime.Now:yyyy-MM-dd}, seed {Seed}, {_watch.Elapsed.TotalSeconds:0} seconds on "
            + $"{Environment.ProcessorCount} cores")
        + (IsQuick ? "; the quick form, with fewer steps than the experiment needs" : string.Empty),
        Html.P(experiment.Introduction),
        _findings.Count == 0
            ? null
            : new object[] { Html.H2("What came out"), new XElement("ul", _findings.Select(text => new XElement("li", text))) },
        _page,
        Html.H2("Once more"),
        Html.P(
            "This command makes the page again, with the same numbers on the same kind of machine and as many cores. The numbers of each "
            + "figure are in a CSV file beside it, all others in metrics.json."),
        Html.Code(_call.Command));

    private JsonObject ToJson(Experiment experiment)
    {
        var root = new JsonObject
        {
            ["experiment"] = experiment.Name,
            ["command"] = _call.Command,
            ["version"] = ModelFile.ProducerVersion,
            ["seed"] = Seed,
            ["quick"] = IsQuick,
            ["seconds"] = Math.Round(_watch.Elapsed.TotalSeconds, 1),
            ["found"] = new JsonArray([.. _findings.Select(text => (JsonNode)text)]),
        };
        foreach (var (key, value) in _metrics) root[key] = value?.DeepClone();
        return root;
    }
}
