using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Architectures;

/// <summary>
/// A perceptron of 50 hidden layers with batch normalization before every rectifier, and one that standardizes the input.
/// </summary>
internal static class DeepPerceptron
{
    public static ModelProto Create(int layers = 50, int width = 100)
    {
        var net = new NetworkWriter("mlp");
        var x = net.BatchNorm(net.Graph.Input("features", DataType.Float, "N", width), width);
        for (var layer = 0; layer < layers; layer++)
        {
            // Every other layer without a bias, as a MatMul.
            var h = layer % 2 == 0
                ? net.Dense(x, width, width)
                : net.Graph.Named("fc", "MatMul", [x, net.Weight("weight", Math.Sqrt(2.0 / width), width, width)]);
            x = net.Relu(net.BatchNorm(h, width));
        }

        return net.Finish(net.Dense(x, width, 10), 10);
    }
}
