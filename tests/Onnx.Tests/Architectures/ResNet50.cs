using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Tests.Architectures;

/// <summary>He et al. 2016, "Deep Residual Learning": 16 bottleneck blocks, 53 batch normalizations, 25.6 million parameters.</summary>
internal static class ResNet50
{
    public static ModelProto Create(int imageSize = 64)
    {
        var net = new NetworkWriter("resnet50");
        var x = net.MaxPool(net.ConvBatchNormRelu(net.Image(imageSize), 3, 64, 7, 2), 3, 2);
        var channels = 64;
        foreach (var (width, blocks, firstStride) in new[] { (64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2) })
        {
            for (var block = 0; block < blocks; block++)
            {
                var stride = block == 0 ? firstStride : 1;
                var h = net.ConvBatchNormRelu(x, channels, width, 1);
                h = net.ConvBatchNormRelu(h, width, width, 3, stride);
                h = net.BatchNorm(net.Conv(h, width, 4 * width, 1), 4 * width);
                var shortcut = block == 0 ? net.BatchNorm(net.Conv(x, channels, 4 * width, 1, stride), 4 * width) : x;
                x = net.Relu(net.Graph.Node("Add", [h, shortcut]));
                channels = 4 * width;
            }
        }

        return net.Classify(x, channels);
    }
}
