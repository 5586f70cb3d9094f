using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Hosting.Tests;

/// <summary>
/// Models whose answers can be worked out in the head: <c>sum = factor · (x₀ + 2x₁ + 3x₂ + …)</c> and <c>double = 2x</c>.
/// </summary>
internal static class WeightedSum
{
    public static ModelProto Model(float factor, int features = 3)
    {
        var nodes = new GraphBuilder("weighted sum");
        var x = nodes.Input("x", DataType.Float, TensorDimension.Rows, features);
        var weights = nodes.Initializer(
            TensorData.Create("weights", [.. Enumerable.Range(1, features).Select(i => i * factor)], features, 1));
        nodes.Output("sum", nodes.Node("MatMul", [x, weights]), DataType.Float, TensorDimension.Rows, 1);
        nodes.Output("double", nodes.Node("Mul", [x, nodes.Constant(2)]), DataType.Float, TensorDimension.Rows, features);
        var model = nodes.Build();
        ModelFile.SetMetadata(model, ModelMetadata.FeatureNames, TextList.ToJson(Enumerable.Range(0, features).Select(i => $"f{i}")));
        ModelFile.SetMetadata(model, ModelMetadata.Labels, TextList.ToJson(["no", "yes"]));
        return model;
    }

    public static string Write(string path, float factor, int features = 3)
    {
        ModelFile.Write(Model(factor, features), path);
        return path;
    }

    public static float Of(ReadOnlySpan<float> row, float factor)
    {
        var sum = 0f;
        for (var i = 0; i < row.Length; i++) sum += row[i] * (i + 1) * factor;
        return sum;
    }
}
