using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Architectures;

/// <summary>
/// Writes the layers of the known image networks, as PyTorch exports them, with random weights and statistics. The weights follow He et al.
/// 2015 and the statistics stay near those of such weights, so that activations neither vanish nor explode over a hundred layers.
/// </summary>
internal sealed class NetworkWriter(string name, int seed = 1)
{
    private readonly Random _random = new(seed);

    public GraphBuilder Graph { get; } = new(name);

    public Value Image(int size) => Graph.Input("image", DataType.Float, "N", 3, size, size);

    public Value Conv(Value x, int inputs, int outputs, int kernel, int stride = 1, int group = 1)
    {
        var pad = kernel / 2;
        var w = Weight("weight", Math.Sqrt(2.0 * group / (inputs * kernel * kernel)), outputs, inputs / group, kernel, kernel);
        return Graph.Named("conv", "Conv", [x, w],
            ("kernel_shape", new long[] { kernel, kernel }), ("strides", new long[] { stride, stride }),
            ("pads", new long[] { pad, pad, pad, pad }), ("group", group));
    }

    public Value BatchNorm(Value x, int channels) =>
        Graph.Named(
            "bn", "BatchNormalization",
            [
                x, Vector("gamma", 0.7, 1.3, channels), Vector("beta", -0.3, 0.3, channels), Vector("mean", -0.3, 0.3, channels),
                Vector("variance", 0.7, 1.4, channels),
            ]);

    public Value Relu(Value x) => Graph.Node("Relu", [x]);

    public Value ConvBatchNormRelu(Value x, int inputs, int outputs, int kernel, int stride = 1, int group = 1) =>
        Relu(BatchNorm(Conv(x, inputs, outputs, kernel, stride, group), outputs));

    public Value MaxPool(Value x, int kernel, int stride) =>
        Graph.Node(
            "MaxPool", [x], ("kernel_shape", new long[] { kernel, kernel }), ("strides", new long[] { stride, stride }),
            ("pads", new long[] { kernel / 2, kernel / 2, kernel / 2, kernel / 2 }));

    public Value AveragePool(Value x, int kernel, int stride) =>
        Graph.Node(
            "AveragePool", [x], ("kernel_shape", new long[] { kernel, kernel }), ("strides", new long[] { stride, stride }),
            ("pads", kernel == 3 ? new long[] { 1, 1, 1, 1 } : new long[4]), ("count_include_pad", 1));

    public Value Dense(Value x, int inputs, int outputs) =>
        Graph.Named(
            "fc", "Gemm", [x, Weight("weight", Math.Sqrt(2.0 / inputs), outputs, inputs), Vector("bias", -0.1, 0.1, outputs)],
            ("transB", 1));

    /// <summary>Global average pooling and the classifier.</summary>
    public ModelProto Classify(Value x, int channels)
    {
        var pooled = Graph.Node("Flatten", [Graph.Node("GlobalAveragePool", [x])], ("axis", 1));
        return Finish(Dense(pooled, channels, 1000), 1000);
    }

    public ModelProto Finish(Value logits, int classes)
    {
        Graph.Output("logits", logits, DataType.Float, "N", classes);
        return Graph.Build();
    }

    public Value Weight(string weight, double deviation, params long[] shape)
    {
        var values = new float[shape.Aggregate(1L, (product, size) => product * size)];
        // Uniform with that standard deviation: √3 times as wide.
        var width = (float)(2 * Math.Sqrt(3) * deviation);
        for (var i = 0; i < values.Length; i++) values[i] = (_random.NextSingle() - 0.5f) * width;
        return Graph.Initializer(TensorData.Create(weight, values, shape));
    }

    private Value Vector(string vector, double low, double high, int length)
    {
        var values = new float[length];
        for (var i = 0; i < length; i++) values[i] = (float)(low + (_random.NextDouble() * (high - low)));
        return Graph.Initializer(TensorData.Create(vector, values, length));
    }
}
