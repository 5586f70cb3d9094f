using System.Numerics.Tensors;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>How much a product loses in 8 bits, found out by running it both ways on the values that it gets inside the model.</summary>
internal static class Int8Trial
{
    private static readonly ExecutionOptions Settings = new() { Threads = 0, Spinning = false, Name = "a product in 8 bits" };

    /// <summary>
    /// The root of the mean over output channels of Σ(y₈ − y)² / Σy², without the summand. Rows count alike, whatever their size, and so do
    /// channels: neither a large row nor a large channel hides what happens to the others. Rows that hold what is not a number say nothing,
    /// in whatever precision. Infinite when something else is not a number.
    /// </summary>
    public static double Loss(RealTensor weights, bool isTransposed, ModelProto int8, IReadOnlyList<HostTensor> inputs)
    {
        var (rowLength, channels) = ((int)weights.Shape[isTransposed ? 1 : 0], (int)weights.Shape[isTransposed ? 0 : 1]);
        var (errors, squares) = (new double[channels], new double[channels]);
        using var exact = OnnxSession.Load(Exact(weights, isTransposed, int8.OpsetImport[0].Version), Settings);
        using var reduced = OnnxSession.Load(int8, Settings);
        foreach (var input in inputs)
        {
            var feed = new Dictionary<string, HostTensor> { [Int8Product.Input] = input };
            var (expected, actual) = (
                (float[])exact.Run(feed)[Int8Product.Output].Data, (float[])reduced.Run(feed)[Int8Product.Output].Data);
            for (var row = 0; row < expected.Length / channels; row++)
            {
                double size = Math.Abs(TensorPrimitives.MaxMagnitude<float>(((float[])input.Data).AsSpan(row * rowLength, rowLength)));
                if (size == 0 || !double.IsFinite(size)) continue;
                for (var channel = 0; channel < channels; channel++)
                {
                    var y = expected[(row * channels) + channel];
                    var difference = (actual[(row * channels) + channel] - y) / size;
                    errors[channel] += difference * difference;
                    squares[channel] += y / size * (y / size);
                }
            }
        }

        // A channel without any weight has no error either.
        var shares = errors.Zip(squares, (error, square) => error == 0 ? 0 : error / square);
        var loss = Math.Sqrt(shares.Average());
        return double.IsNaN(loss) ? double.PositiveInfinity : loss;
    }

    private static ModelProto Exact(RealTensor weights, bool isTransposed, long opset)
    {
        var nodes = new GraphBuilder("float32", (int)opset);
        var w = nodes.Initializer(weights.ToProto("w"));
        var x = nodes.Input(Int8Product.Input, DataType.Float);
        nodes.Output(Int8Product.Output, nodes.Node("MatMul", [x, isTransposed ? nodes.Node("Transpose", [w]) : w]), DataType.Float);
        var model = nodes.Build();
        foreach (var value in model.Graph.Input.Concat(model.Graph.Output)) value.Type.TensorType.Shape = null;
        return model;
    }
}
