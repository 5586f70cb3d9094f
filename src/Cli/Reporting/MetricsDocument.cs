using System.Text.Json;
using System.Text.Json.Nodes;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Trainer;
using MlNetBatchNorm.Transforms;
using MlNetBatchNorm.Transforms.Tables;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>The numbers of a training as JSON, with their units in the keys.</summary>
internal sealed class MetricsDocument
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private readonly JsonObject _root;

    private MetricsDocument(JsonObject root) => _root = root;

    public static MetricsDocument Create(TrainedTable trained, TimeSpan elapsed, TimeSpan singleRow)
    {
        var network = trained.Network.Network;
        var export = trained.Network.Export;
        return new MetricsDocument(new JsonObject
        {
            ["task"] = TaskNames.NameOf(trained.Schema.Label.Task),
            ["label"] = trained.Schema.Label.Column,
            ["positiveClass"] = trained.Schema.Label.PositiveClass,
            ["classes"] = new JsonArray([.. trained.Schema.Label.Classes.Select(name => (JsonNode)name)]),
            ["trainingRows"] = trained.TrainingRows,
            ["testRows"] = trained.TestRows,
            ["features"] = trained.Schema.Features.FeatureCount,
            ["parameters"] = network.Network.Parameters.Where(parameter => parameter.Role != ParameterRole.Statistic).Sum(parameter => parameter.Count),
            ["device"] = network.Device.ToString(),
            ["bestEpoch"] = network.Best.Epoch,
            ["epochs"] = new JsonArray([.. network.History.Select(Epoch)]),
            ["test"] = Figures(trained.TestMetrics),
            ["batchNormsBefore"] = BatchNorms(export.Unfolded),
            ["batchNormsAfter"] = BatchNorms(export.Folded),
            ["largestAbsoluteDifference"] = export.Verification.LargestAbsolute,
            ["largestRelativeDifference"] = export.Verification.LargestRelative,
            ["precision"] = PrecisionNames.NameOf(export.Reduced?.Precision ?? ModelPrecision.Float32),
            ["reduction"] = export.Reduced is { } reduced ? PrecisionReport.ToJson(reduced, trained.Float32TestMetrics, trained.TestMetrics) : null,
            ["singlePredictionMicroseconds"] = singleRow.TotalMicroseconds,
            ["totalSeconds"] = elapsed.TotalSeconds,
        });
    }

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
            epoch["validationLoss"] = validation.Loss;
            epoch["validation"] = Figures(validation.Metrics);
        }

        return epoch;
    }

    // JSON has no NaN: a figure that is not defined (an AUC with one class) is null.
    public static JsonObject Figures(IReadOnlyDictionary<string, double> figures) =>
        new(figures.Select(figure => KeyValuePair.Create(figure.Key, double.IsFinite(figure.Value) ? (JsonNode?)figure.Value : null)));

    private static int BatchNorms(ModelProto model) => model.Graph.Node.Count(node => node.OpType == "BatchNormalization");
}
