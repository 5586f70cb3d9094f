using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Tests.Architectures;

/// <summary>
/// Sandler et al. 2018, "Inverted Residuals and Linear Bottlenecks": 52 batch normalizations, 17 of them behind depthwise convolutions.
/// </summary>
internal static class MobileNetV2
{
    public static ModelProto Create(int imageSize = 64)
    {
        var net = new NetworkWriter("mobilenetv2");
        var x = Block(net, net.Image(imageSize), 3, 32, 3, 2);
        var channels = 32;
        (int, int, int, int)[] stages =
            [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];
        foreach (var (expand, outputs, repeats, firstStride) in stages)
        {
            for (var repeat = 0; repeat < repeats; repeat++)
            {
                var stride = repeat == 0 ? firstStride : 1;
                var hidden = channels * expand;
                var h = expand == 1 ? x : Block(net, x, channels, hidden, 1);
                h = Block(net, h, hidden, hidden, 3, stride, group: hidden);
                h = net.BatchNorm(net.Conv(h, hidden, outputs, 1), outputs);
                x = stride == 1 && channels == outputs ? net.Graph.Node("Add", [h, x]) : h;
                channels = outputs;
            }
        }

        return net.Classify(Block(net, x, channels, 1280, 1), 1280);
    }

    // Relu6 is a Clip since opset 6; its bounds are shared constants.
    private static Value Block(NetworkWriter net, Value x, int inputs, int outputs, int kernel, int stride = 1, int group = 1) =>
        net.Graph.Node(
            "Clip",
            [net.BatchNorm(net.Conv(x, inputs, outputs, kernel, stride, group), outputs), net.Graph.Constant(0), net.Graph.Constant(6)]);
}
