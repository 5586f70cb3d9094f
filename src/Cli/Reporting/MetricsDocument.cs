using System.Text.Json;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Cli.Assessment;
using MlNetBatchNorm.Cli.Timing;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Metrics;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>The numbers of a training as JSON, with their units in the keys.</summary>
internal sealed class MetricsDocument
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private readonly JsonObject _root;

    // What was learned from which data stands in front; what came out is the same for all.
    private MetricsDocument(
        JsonObject task,
        TrainedNetwork network,
        NetworkExport export,
        MetricValues test,
        MetricValues float32Test,
        TimeSpan elapsed,
        TimeSpan singleRow,
        IReadOnlyList<PrecisionSpeed>? speed = null)
    {
        _root = task;
        _root["version"] = ModelFile.ProducerVersion;
        _root["parameters"] = network.Network.ParameterCount;
        _root["device"] = network.Device.ToString();
        _root["threads"] = network.Threads;
        _root["bestEpoch"] = network.Best.Epoch;
        _root["epochs"] = new JsonArray([.. network.History.Select(Epoch)]);
        _root["test"] = Figures(test);
        if (network.OutOfFold is { } predicted)
        {
            _root["outOfFold"] = Figures(predicted.Metrics.Values);
            _root["members"] = network.Network.MemberCount;
            _root["temperature"] = network.Temperature;
        }

        if (network.Diagnostics.Count > 0)
        {
            _root["findings"] = new JsonArray([.. network.Warnings.Where(warning => warning.IsOfDiagnostics).Select(finding =>
                new JsonObject { ["kind"] = $"{finding.Kind}", ["layer"] = finding.Layer, ["message"] = finding.Message })]);
            _root["diagnostics"] = DiagnosticsTable.ToJson(network.Diagnostics);
        }

        _root["batchNormsBefore"] = export.Unfolded.BatchNormCount;
        _root["batchNormsAfter"] = export.Folded.BatchNormCount;
        _root["largestAbsoluteDifference"] = export.Verification.LargestAbsolute;
        _root["largestRelativeDifference"] = export.Verification.LargestRelative;
        _root["precision"] = PrecisionNames.NameOf(export.Reduced?.Precision ?? ModelPrecision.Float32);
        _root["reduction"] = export.Reduced is { } reduced ? PrecisionReport.ToJson(reduced, float32Test, test, speed ?? []) : null;
        _root["singlePredictionMicroseconds"] = singleRow.TotalMicroseconds;
        _root["totalSeconds"] = elapsed.TotalSeconds;
    }

    /// <summary>The numbers of a network that was trained on a table.</summary>
    /// <param name="found">The network, and what was found out about it.</param>
    /// <param name="rule">How its test rows were chosen.</param>
    /// <param name="elapsed">How long it took.</param>
    /// <param name="singleRow">What one prediction takes.</param>
    /// <param name="speed">What scoring takes with fewer bits; null or empty where it was not measured.</param>
    public static MetricsDocument Create(
        ModelAssessment found, string rule, TimeSpan elapsed, TimeSpan singleRow, IReadOnlyList<PrecisionSpeed>? speed = null)
    {
        var trained = found.Trained;
        var task = new JsonObject
        {
            ["task"] = trained.Schema.Label.Task.Name,
            ["label"] = trained.Schema.Label.Column,
            ["positiveClass"] = trained.Schema.Label.PositiveClass,
            ["classes"] = new JsonArray([.. trained.Schema.Label.Classes.Select(name => (JsonNode)name)]),
            ["trainingRows"] = trained.TrainingRows,
            ["testRows"] = trained.TestRows,
            ["testRowsChosen"] = rule,
            ["features"] = trained.Schema.Features.FeatureCount,
            ["betterThanBaseRate"] = trained.BaseRateWarning is null,
            ["assessment"] = found.ToJson(),
        };
        var document = new MetricsDocument(
            task,
            trained.Network.Model,
            trained.Network.Export,
            trained.TestMetrics,
            trained.Float32TestMetrics,
            elapsed,
            singleRow,
            speed);
        if (found.Tuned is { } tuned) document._root["tuning"] = TrialsTable.ToJson(tuned);
        return document;
    }

    /// <summary>The numbers of a network that was not trained on a table.</summary>
    /// <param name="task">What was learned from which data; what came out is added to it.</param>
    /// <param name="network">The network.</param>
    /// <param name="export">The same as ONNX.</param>
    /// <param name="test">The figures on rows that it has not seen.</param>
    /// <param name="elapsed">How long it took.</param>
    /// <param name="singleRow">What one prediction takes.</param>
    public static MetricsDocument Create(
        JsonObject task,
        TrainedNetwork network,
        NetworkExport export,
        MetricValues test,
        TimeSpan elapsed,
        TimeSpan singleRow) => new(task, network, export, test, test, elapsed, singleRow);

    /// <summary>The numbers, to be put into another document.</summary>
    public JsonObject ToJson() => _root;

    /// <summary>Writes <c>metrics.json</c>.</summary>
    /// <returns>Its path.</returns>
    public string Write(string folder)
    {
        var path = Path.Combine(folder, "metrics.json");
        AtomicFile.WriteText(path, _root.ToJsonString(Indented) + "\n");
        return path;
    }

    private static JsonObject Epoch(EpochReport report)
    {
        var epoch = new JsonObject { ["epoch"] = report.Epoch, ["loss"] = report.Loss };
        if (report.Validation is { } validation)
        {
            epoch[validation.IsOutOfFold ? "outOfFoldLoss" : "validationLoss"] = validation.Loss;
            epoch[validation.IsOutOfFold ? "outOfFold" : "validation"] = Figures(validation.Values);
        }

        return epoch;
    }

    // JSON has no NaN: a figure that is not defined (an AUC with one class) is null.
    public static JsonObject Figures(MetricValues figures) =>
        new(
            figures.Select(
                figure => KeyValuePair.Create(figure.Metric.Key, double.IsFinite(figure.Value) ? (JsonNode?)figure.Value : null)));
}
