using System.Xml.Linq;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>What was written, and how to use it.</summary>
internal static class FilesSection
{
    /// <summary>The name of the file with what was seen inside the network.</summary>
    public const string Diagnostics = "diagnostics.csv";

    /// <summary>The name of the file with the settings that were tried.</summary>
    public const string Trials = "trials.csv";

    public static IEnumerable<XElement> Create(IReadOnlyList<string> files)
    {
        yield return Html.H2("The files, and how to use them");
        yield return Html.Table(
            ["file", "bytes", "what it is"],
            files.Select(
                path =>
                    new object[]
                    {
                        Path.GetFileName(path),
                        Html.Number(Html.Count(new FileInfo(path).Length)),
                        Describe(Path.GetFileName(path)),
                    }));
        yield return Html.H3("In ML.NET");
        yield return Html.Code(
            """
            var ml = new MLContext();
            using var model = ml.Model.LoadBatched("model.zip", out _);
            var predictions = model.Transform(rows);          // rows: an IDataView with the columns of the table
            """);
        yield return Html.H3("Without ML.NET, in a service");
        yield return Html.Code(
            """
            using var scorer = OnnxScorer.Load("model.onnx");     // from many threads at once
            scorer.Score(features, result);                   // features in the order of the file's own list
            """);
        yield return Html.H3("For a whole table, on the command line");
        yield return Html.Code("mlnetbn score model.onnx NEW.csv --out PREDICTIONS.csv");
    }

    private static string Describe(string file) => file switch
    {
        "model.zip" => "the whole pipeline for ML.NET, from the table's columns to the prediction",
        "model.onnx" => "the network for use, its batch normalizations folded away",
        "model.batchnorm.onnx" => "the network as it was trained, to look at or to compare with",
        "pipeline.onnx" => "the whole pipeline for ONNX Runtime, from the table's columns to the prediction",
        "metrics.json" => "the figures on this page, for programs",
        "outOfFold.csv" => "for each row to learn from, what the member of the ensemble predicts that did not learn from it",
        Trials => "the settings that were tried, with their figures on the folds",
        Diagnostics => "what each layer gave and got back, epoch by epoch",
        _ => string.Empty,
    };
}
