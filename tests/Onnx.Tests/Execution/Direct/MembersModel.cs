using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>What an ensemble on a table is after folding, with random weights. The benchmarks time it too.</summary>
internal static class MembersModel
{
    /// <summary>
    /// A network of several members on numbers scaled smoothly and on their piecewise-linear encoding, as our defaults are: the first layer
    /// is one product for all members, the next ones have a matrix for each.
    /// </summary>
    public static ModelProto Create(int features, int bins, int members, int hidden, int results, bool byConv = false)
    {
        var nodes = new GraphBuilder("members");
        var random = new Random(5);
        var x = nodes.Input("x", DataType.Float, TensorDimension.Rows, features);
        var z = nodes.Node("Mul", [nodes.Node("Sub", [x, Random("center", 1, 0, features)]), Random("scale", 0.5, 1, features)]);
        var third = nodes.Node("Mul", [z, nodes.Constant(1 / 3f)]);
        var root = nodes.Node("Sqrt", [nodes.Node("Add", [nodes.Node("Mul", [third, third]), nodes.Constant(1)])]);
        z = nodes.Node("Div", [z, root]);
        var (columns, lower, inverse) = (new List<long>(), new List<float>(), new List<float>());
        for (var feature = 0; feature < features; feature++)
        {
            var edge = -2f;
            for (var bin = 0; bin < bins; bin++)
            {
                var width = 0.01f + (random.NextSingle() * 8 / bins);
                columns.Add(feature);
                lower.Add(edge);
                inverse.Add(1 / width);
                edge += width;
            }
        }

        var encoded = nodes.Node("Gather", [x, nodes.Integers([.. columns])], ("axis", 1));
        encoded = nodes.Node("Sub", [encoded, nodes.Initializer(TensorData.Create("lower", [.. lower], lower.Count))]);
        encoded = nodes.Node("Mul", [encoded, nodes.Initializer(TensorData.Create("inverse", [.. inverse], inverse.Count))]);
        encoded = nodes.Node("Clip", [encoded, nodes.Constant(0), nodes.Constant(1)]);
        var joined = nodes.Node("Concat", [z, encoded], ("axis", 1));
        var width1 = features + columns.Count;
        var w1 = Normal("w1", 1 / Math.Sqrt(3 * features), width1, members * hidden);
        var h = Silu(nodes.Node("Gemm", [joined, w1, Normal("b1", 0.1, members * hidden)]));
        h = Silu(Grouped(h, hidden, hidden, "2"));
        var y = nodes.Node("Reshape", [Grouped(h, hidden, results, "3"), nodes.Integers(-1, members, results)]);
        y = nodes.Node("ReduceMean", [y], ("axes", new long[] { 1 }), ("keepdims", 0));
        y = results == 1 ? nodes.Node("Sigmoid", [y]) : nodes.Node("Softmax", [y], ("axis", -1));
        nodes.Output("y", y, DataType.Float, TensorDimension.Rows, results);
        return nodes.Build();

        Value Silu(Value value) => nodes.Node("Mul", [value, nodes.Node("Sigmoid", [value])]);

        Value Grouped(Value value, int inner, int outer, string name)
        {
            var scale = 1 / Math.Sqrt(inner);
            if (byConv)
            {
                value = nodes.Node("Reshape", [value, nodes.Integers(0, members * inner, 1)]);
                var kernel = Normal($"w{name}", scale, members * outer, inner, 1);
                value = nodes.Node("Conv", [value, kernel, Normal($"b{name}", 0.1, members * outer)], ("group", members));
                return nodes.Node("Reshape", [value, nodes.Integers(0, members * outer)]);
            }

            value = nodes.Node("Reshape", [value, nodes.Integers(-1, members, inner)]);
            value = nodes.Node("Transpose", [value], ("perm", new long[] { 1, 0, 2 }));
            value = nodes.Node("MatMul", [value, Normal($"w{name}", scale, members, inner, outer)]);
            value = nodes.Node("Transpose", [value], ("perm", new long[] { 1, 0, 2 }));
            value = nodes.Node("Reshape", [value, nodes.Integers(-1, members * outer)]);
            return nodes.Node("Add", [value, Normal($"b{name}", 0.1, members * outer)]);
        }

        Value Normal(string name, double deviation, params long[] shape)
        {
            var values = new float[shape.Aggregate(1L, (product, size) => product * size)];
            foreach (ref var value in values.AsSpan())
            {
                var (size, angle) = (Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())), 2 * Math.PI * random.NextDouble());
                value = (float)(deviation * size * Math.Cos(angle));
            }

            return nodes.Initializer(TensorData.Create(name, values, shape));
        }

        Value Random(string name, double spread, double middle, int count)
        {
            var values = new float[count];
            foreach (ref var value in values.AsSpan()) value = (float)(middle + (spread * (random.NextDouble() - 0.5)));
            return nodes.Initializer(TensorData.Create(name, values, count));
        }
    }
}
