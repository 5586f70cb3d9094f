using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Tests.Architectures;

/// <summary>
/// Huang et al. 2017, "Densely Connected Convolutional Networks": 121 batch normalizations. In each of its 58 layers the first one stands
/// behind a Concat of everything so far and before a rectifier, the second one between two convolutions.
/// </summary>
internal static class DenseNet121
{
    public static ModelProto Create(int imageSize = 64)
    {
        const int growth = 32;
        var net = new NetworkWriter("densenet121");
        var x = net.MaxPool(net.ConvBatchNormRelu(net.Image(imageSize), 3, 64, 7, 2), 3, 2);
        var channels = 64;
        int[] blocks = [6, 12, 24, 16];
        for (var block = 0; block < blocks.Length; block++)
        {
            var features = new List<Value> { x };
            for (var layer = 0; layer < blocks[block]; layer++)
            {
                // PyTorch writes the Concat even for a single tensor.
                var joined = net.Graph.Node("Concat", [.. features], ("axis", 1));
                var h = net.Relu(net.BatchNorm(joined, channels));
                h = net.ConvBatchNormRelu(h, channels, 4 * growth, 1);
                features.Add(net.Conv(h, 4 * growth, growth, 3));
                channels += growth;
            }

            x = net.Relu(net.BatchNorm(net.Graph.Node("Concat", [.. features], ("axis", 1)), channels));
            if (block == blocks.Length - 1) break;
            x = net.AveragePool(net.Conv(x, channels, channels / 2, 1), 2, 2);
            channels /= 2;
        }

        return net.Classify(x, channels);
    }
}
