using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Tables;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.NamedColumns;

/// <summary>
/// A model whose answers can be worked out in the head: <c>tenure</c> (10 where there is none), and 100 for a contract of a month, 200 for
/// one of a year, 400 for none, and 1000 for each day since 2024-01-01, a date that German tables have.
/// </summary>
internal static class CustomerModel
{
    public const string Label = "left";

    public static FeatureMap Map { get; } = new(
        [
            new NumericFeature("tenure", 10, numbers: new NumberFormat(',')),
            new CategoricalFeature("contract_kind", ["Month", "Year"], "(missing)"),
            new NumericFeature("joined (days)", 0),
            new CategoricalFeature("partner", ["Yes", "No", "?x"]),
        ],
        dates:
        [
            new DateColumn(
                "joined", new DateTimeOffset(2024, 1, 1, 0, 0, 0, TimeSpan.Zero), [new DatePartColumn(DatePart.Elapsed, "joined (days)")],
                DateOrder.DayFirst),
        ]);

    /// <param name="path">Where to write it.</param>
    /// <param name="task"><c>binary</c> (score and probability), or <c>regression</c>.</param>
    /// <param name="factor">What every answer is multiplied with.</param>
    public static string Write(string path, string task = ModelMetadata.Regression, float factor = 1)
    {
        var nodes = new GraphBuilder("customers");
        var features = nodes.Input("Features", DataType.Float, TensorDimension.Rows, Map.FeatureCount);
        var weights = nodes.Initializer(TensorData.Create(
            "weights", [factor, 100 * factor, 200 * factor, 400 * factor, 1000 * factor, 0, 0, 0], Map.FeatureCount, 1));
        var score = nodes.Node("MatMul", [features, weights]);
        nodes.Output("Score", score, DataType.Float, TensorDimension.Rows, 1);
        if (task == ModelMetadata.Binary)
            nodes.Output("Probability", nodes.Node("Sigmoid", [score]), DataType.Float, TensorDimension.Rows, 1);
        var model = nodes.Build();
        Describe(model, task);
        ModelFile.SetMetadata(model, ModelMetadata.FeatureMap, Map.ToJson());
        ModelFile.Write(model, path);
        return path;
    }

    public static void Describe(ModelProto model, string task)
    {
        ModelFile.SetMetadata(model, ModelMetadata.Task, task);
        ModelFile.SetMetadata(model, ModelMetadata.LabelColumn, Label);
        ModelFile.SetMetadata(model, ModelMetadata.Labels, TextList.ToJson(task == ModelMetadata.Binary ? ["stays", "leaves"] : []));
    }
}
