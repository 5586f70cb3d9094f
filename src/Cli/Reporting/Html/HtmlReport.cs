using System.Globalization;
using System.Xml.Linq;
using MlNetBatchNorm.Cli.Assessment;
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
    /// <param name="found">What was found out about what training gave.</param>
    /// <param name="source">The table, by the name of its file.</param>
    /// <param name="rule">How the test rows were chosen.</param>
    /// <param name="singleRow">What one prediction takes.</param>
    /// <param name="folder">The folder, which is there.</param>
    /// <param name="files">What else was written there.</param>
    /// <returns>The path of the file.</returns>
    public static string Write(
        ModelAssessment found, string source, string rule, TimeSpan singleRow, string folder, IReadOnlyList<string> files)
    {
        var trained = found.Trained;
        var path = Path.Combine(folder, HtmlPage.ReportFile);
        AtomicFile.WriteText(path, HtmlPage.Create(
            $"Predicting {trained.Schema.Label.Column}",
            string.Create(
                CultureInfo.InvariantCulture,
                $"from {source}, trained on {DateTime.Now:yyyy-MM-dd} by mlnetbn {ModelFile.ProducerVersion}"),
            VerdictSection.Create(found),
            FiguresSection.Create(found),
            Mistakes(found),
            ThresholdSection.Create(found),
            ColumnsSection.Create(found),
            GroupsSection.Create(found),
            TuningSection.Create(found),
            LearningSection.Create(trained.Network.Model),
            DataSection.Create(trained, source, rule),
            ModelSection.Create(trained.Network.Model, trained.Network.Export, singleRow),
            DiagnosticsSection.Create(trained.Network.Model, FilesSection.Diagnostics),
            FilesSection.Create(files)));
        return path;
    }

    private static IEnumerable<XElement> Mistakes(ModelAssessment found) => found.Trained.Schema.Label.Task switch
    {
        { HasPositiveClass: true } => BinarySection.Create(found),
        { HasClasses: true } => MulticlassSection.Create(found),
        _ => RegressionSection.Create(found.Trained),
    };
}
