using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Tests.Architectures;

/// <summary>
/// The network of the batch normalization paper (Ioffe and Szegedy 2015, figure 5): ten Inception modules, 69 batch normalizations.
/// </summary>
internal static class BatchNormInception
{
    private sealed record Module(
        int Pointwise, int Reduce3, int Conv3, int ReduceDouble, int DoubleConv, int Projection, bool MaxPool, int Stride);

    // The columns #1×1, #3×3 reduce, #3×3, double #3×3 reduce, double #3×3 and pool + proj of the figure.
    private static readonly Module[] Modules =
    [
        new(64, 64, 64, 64, 96, 32, false, 1), new(64, 64, 96, 64, 96, 64, false, 1), new(0, 128, 160, 64, 96, 0, true, 2),
        new(224, 64, 96, 96, 128, 128, false, 1), new(192, 96, 128, 96, 128, 128, false, 1), new(160, 128, 160, 128, 160, 128, false, 1),
        new(96, 128, 192, 160, 192, 128, false, 1), new(0, 128, 192, 192, 256, 0, true, 2),
        new(352, 192, 320, 160, 224, 128, false, 1), new(352, 192, 320, 192, 224, 128, true, 1),
    ];

    public static ModelProto Create(int imageSize = 64)
    {
        var net = new NetworkWriter("bn-inception");
        var x = net.MaxPool(net.ConvBatchNormRelu(net.Image(imageSize), 3, 64, 7, 2), 3, 2);
        x = net.ConvBatchNormRelu(net.ConvBatchNormRelu(x, 64, 64, 1), 64, 192, 3);
        x = net.MaxPool(x, 3, 2);
        var channels = 192;
        foreach (var module in Modules) (x, channels) = Branches(net, x, channels, module);
        return net.Classify(x, channels);
    }

    private static (Value, int) Branches(NetworkWriter net, Value x, int channels, Module m)
    {
        var branches = new List<Value>();
        if (m.Pointwise > 0) branches.Add(net.ConvBatchNormRelu(x, channels, m.Pointwise, 1));
        branches.Add(net.ConvBatchNormRelu(net.ConvBatchNormRelu(x, channels, m.Reduce3, 1), m.Reduce3, m.Conv3, 3, m.Stride));
        var h = net.ConvBatchNormRelu(net.ConvBatchNormRelu(x, channels, m.ReduceDouble, 1), m.ReduceDouble, m.DoubleConv, 3);
        branches.Add(net.ConvBatchNormRelu(h, m.DoubleConv, m.DoubleConv, 3, m.Stride));
        var pooled = m.MaxPool ? net.MaxPool(x, 3, m.Stride) : net.AveragePool(x, 3, m.Stride);
        branches.Add(m.Projection > 0 ? net.ConvBatchNormRelu(pooled, channels, m.Projection, 1) : pooled);
        var outputs = m.Pointwise + m.Conv3 + m.DoubleConv + (m.Projection > 0 ? m.Projection : channels);
        return (net.Graph.Node("Concat", [.. branches], ("axis", 1)), outputs);
    }
}
