using System.Globalization;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.NamedColumns;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Transforms.Tasks;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// What the metadata of a model say of tables, so that it can be given one without the program that trained it: what it predicts, and how
/// its features are made.
/// </summary>
/// <param name="Task">What is predicted.</param>
/// <param name="Features">How a table becomes features.</param>
/// <param name="Classes">The classes; none for regression.</param>
/// <param name="LabelOffset">What was taken off the labels; 0 = nothing.</param>
internal sealed record TableDescription(TableTask Task, FeatureMap Features, IReadOnlyList<string> Classes, double LabelOffset)
{
    /// <summary>The outputs of the network that predictions are made of.</summary>
    public IReadOnlyList<string> Outputs => LabelOffset == 0 ? Task.Network.Outputs : [TrainedNetwork.ScoreAboveOffsetOutput];

    /// <summary>The entries for a model that is trained on a table.</summary>
    public static IReadOnlyDictionary<string, string> ToMetadata(TableSchema schema) => new Dictionary<string, string>
    {
        [ModelMetadata.LabelColumn] = schema.Label.Column,
        [ModelMetadata.Labels] = TextList.ToJson(schema.Label.Classes),
        [ModelMetadata.FeatureMap] = schema.Features.ToJson(),
    };

    /// <summary>Reads the metadata of a model; null where it says nothing of tables.</summary>
    /// <exception cref="InvalidModelException">It was trained for a task that is not known here.</exception>
    /// <exception cref="InvalidDataException">The features are not described in a way that is known here.</exception>
    public static TableDescription? Find(ModelProto model, string path)
    {
        if (ModelFile.GetMetadata(model, ModelMetadata.FeatureMap) is not { } map
            || ModelFile.GetMetadata(model, ModelMetadata.Labels) is not { } labels)
            return null;
        var task = NetworkTask.Of(model) ?? throw new InvalidModelException(
            $"'{path}' predicts '{ModelFile.GetMetadata(model, ModelMetadata.Task)}'; one of {string.Join(", ", NetworkTask.Names)} was "
            + "expected.");
        var offset = ModelFile.GetMetadata(model, ModelMetadata.LabelOffset) is not { } text ? 0
            : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number
            : throw new InvalidModelException($"'{path}' has the label offset '{text}', which is no number.");
        return new TableDescription(TableTask.Of(task.Kind), FeatureMap.FromJson(map), TextList.FromJson(labels), offset);
    }

    /// <summary>Reads the metadata of a model that is to be given a table.</summary>
    /// <exception cref="InvalidModelException">It says nothing of tables, or was trained for a task that is not known here.</exception>
    /// <exception cref="InvalidDataException">The features are not described in a way that is known here.</exception>
    public static TableDescription Read(ModelProto model, string path) =>
        Find(model, path) ?? throw NamedModel.WithoutColumns(path, new OnnxModel(model).Inputs);
}
