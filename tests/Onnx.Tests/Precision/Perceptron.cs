using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Precision;

/// <summary>Dense networks under test: input <c>x</c>, output <c>y</c>.</summary>
internal sealed class Perceptron(int seed, int opset = 17)
{
    private readonly Random _random = new(seed);

    public GraphBuilder Graph { get; } = new("perceptron", opset);

    /// <summary>Gemm layers with Relu between them.</summary>
    public static ModelProto Create(int seed, params int[] sizes)
    {
        var network = new Perceptron(seed);
        var x = network.Input(sizes[0]);
        for (var layer = 1; layer < sizes.Length; layer++)
        {
            if (layer > 1) x = network.Graph.Node("Relu", [x]);
            x = network.Graph.Named(
                $"gemm{layer}", "Gemm", [x, network.Weight("w", sizes[layer - 1], sizes[layer]), network.Weight("b", sizes[layer])]);
        }

        return network.Build(x, sizes[^1]);
    }

    /// <summary>
    /// A network of one to four layers in all the ways in which they are written: Gemm with its attributes, MatMul and Add, other
    /// activations, a way around a layer, an output in the middle.
    /// </summary>
    public static ModelProto Random(int seed)
    {
        var network = new Perceptron(seed, 11 + (seed % 11));
        var (random, graph) = (network._random, network.Graph);
        var width = random.Next(33, 80);
        var x = network.Input(width);
        for (var layer = random.Next(1, 5); layer > 0; layer--)
        {
            var before = x;
            var units = random.Next(2) == 0 ? width : random.Next(33, 80);
            x = random.Next(3) switch
            {
                0 =>
                    graph.Node(
                        "Gemm", [x, network.Weight("w", units, width), network.Weight("c", 1, units)], ("transB", 1L), ("alpha", 0.5f),
                        ("beta", 2f)),
                1 => graph.Node("Add", [graph.Node("MatMul", [x, network.Weight("w", width, units)]), network.Weight("b", units)]),
                _ => graph.Node("Gemm", [x, network.Weight("w", width, units), network.Weight("c", units)]),
            };
            if (units == width && random.Next(2) == 0) x = graph.Node("Add", [x, before]);
            width = units;
            if (random.Next(6) == 0)
                graph.Output($"inner{layer}", graph.Node("Identity", [x]), DataType.Float, TensorDimension.Rows, width);
            string[] activations = ["Relu", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "Identity"];
            x = graph.Node(activations[random.Next(activations.Length)], [x]);
        }

        return network.Build(x, width);
    }

    /// <summary>Rows of normal numbers, each column times a factor.</summary>
    public static HostTensor Rows(int seed, int count, int width, Func<int, double>? factor = null)
    {
        var random = new Random(seed);
        var values = new float[count * width];
        for (var i = 0; i < values.Length; i++)
        {
            var normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            values[i] = (float)(normal * (factor?.Invoke(i % width) ?? 1));
        }

        return HostTensor.Of(values, count, width);
    }

    /// <summary>The outputs of a model, with and without ONNX Runtime's graph optimizations.</summary>
    public static float[] Run(ModelProto model, HostTensor x, GraphOptimization optimization = GraphOptimization.All)
    {
        using var session = OnnxSession.Load(model, new ExecutionOptions { Optimization = optimization });
        return (float[])session.Run(new Dictionary<string, HostTensor> { ["x"] = x })["y"].Data;
    }

    public static IReadOnlyList<IReadOnlyDictionary<string, HostTensor>> Inputs(HostTensor x) =>
        [new Dictionary<string, HostTensor> { ["x"] = x }];

    public Value Input(int width) => Input("x", width);

    public Value Input(string name, int width) => Graph.Input(name, DataType.Float, TensorDimension.Rows, width);

    /// <summary>A constant of numbers evenly from ±√(3/rows).</summary>
    public Value Weight(string name, params long[] shape) => Graph.Initializer(TensorData.Create(name, Numbers(shape), shape));

    public float[] Numbers(params long[] shape)
    {
        var limit = Math.Sqrt(3.0 / shape[0]);
        var count = (int)shape.Aggregate(1L, (a, b) => a * b);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(((2 * _random.NextDouble()) - 1) * limit))];
    }

    public ModelProto Build(Value y, int width)
    {
        Graph.Output("y", y, DataType.Float, TensorDimension.Rows, width);
        return Graph.Build();
    }
}
