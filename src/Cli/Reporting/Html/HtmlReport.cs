using System.Globalization;
using System.Xml.Linq;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>
/// <c>report.html</c>: a training on one page, for whoever has to decide what to do with the model. It holds everything itself, runs
/// nothing and loads nothing.
/// </summary>
internal static class HtmlReport
{
    /// <summary>Writes the page; it appears whole or not at all.</summary>
    /// <param name="trained">What training gave.</param>
    /// <param name="source">The table, by the name of its file.</param>
    /// <param name="rule">How the test rows were chosen.</param>
    /// <param name="singleRow">What one prediction takes.</param>
    /// <param name="folder">The folder, which is there.</param>
    /// <param name="files">What else was written there.</param>
    /// <param name="tuned">How its options were found; null = they were given.</param>
    /// <returns>The path of the file.</returns>
    public static string Write(
        TrainedTable trained,
        string source,
        string rule,
        TimeSpan singleRow,
        string folder,
        IReadOnlyList<string> files,
        TunedTable? tuned = null)
    {
        var path = Path.Combine(folder, HtmlPage.ReportFile);
        AtomicFile.WriteText(path, HtmlPage.Create(
            $"Predicting {trained.Schema.Label.Column}",
            string.Create(
                CultureInfo.InvariantCulture,
                $"from {source}, trained on {DateTime.Now:yyyy-MM-dd} by mlnetbn {ModelFile.ProducerVersion}"),
            FiguresSection.Create(trained),
            Mistakes(trained),
            tuned is null ? [] : TuningSection.Create(tuned, trained),
            LearningSection.Create(trained.Network.Model),
            DataSection.Create(trained, source, rule),
            ModelSection.Create(trained.Network.Model, trained.Network.Export, singleRow),
            DiagnosticsSection.Create(trained.Network.Model, FilesSection.Diagnostics),
            FilesSection.Create(files)));
        return path;
    }

    private static IEnumerable<XElement> Mistakes(TrainedTable trained) => trained.Schema.Label.Task.Kind switch
    {
        LearningTask.Binary => BinarySection.Create(trained),
        LearningTask.Multiclass => MulticlassSection.Create(trained),
        _ => RegressionSection.Create(trained),
    };
}
