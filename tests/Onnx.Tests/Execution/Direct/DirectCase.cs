using MlNetBatchNorm.Onnx.Execution.Direct;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Execution;

/// <summary>A model that is evaluated directly, by vectors of each width, and by ONNX Runtime.</summary>
internal static class DirectCase
{
    /// <summary>Random constants, the same each time.</summary>
    public static Value Weights(GraphBuilder nodes, params long[] shape)
    {
        var random = new Random(shape.Aggregate(7, (hash, size) => (hash * 31) + (int)size));
        var values = new float[shape.Aggregate(1L, (product, size) => product * size)];
        foreach (ref var value in values.AsSpan()) value = (random.NextSingle() - 0.5f) * 0.8f;
        return nodes.Initializer(TensorData.Create("w", values, shape));
    }

    public static ModelProto Model(int width, Func<GraphBuilder, Value, Value> build, params long[] result)
    {
        var nodes = new GraphBuilder("case");
        var x = nodes.Input("x", DataType.Float, TensorDimension.Rows, width);
        nodes.Output("y", build(nodes, x), DataType.Float, [TensorDimension.Rows, .. result.Select(size => (TensorDimension)size)]);
        return nodes.Build();
    }

    /// <summary>Rows of ordinary numbers.</summary>
    public static float[] Rows(int count, int width, float scale = 2)
    {
        var random = new Random(count);
        var rows = new float[count * width];
        foreach (ref var value in rows.AsSpan()) value = (random.NextSingle() - 0.5f) * 2 * scale;
        return rows;
    }

    public static float[] Runtime(ModelProto model, float[] rows)
    {
        using var session = OnnxSession.Load(model);
        var width = (int)session.Inputs[0].Shape.Skip(1).Aggregate(1L, (product, size) => product * size.Size!.Value);
        long[] shape = [rows.Length / width, .. session.Inputs[0].Shape.Skip(1).Select(size => size.Size!.Value)];
        var inputs = new Dictionary<string, HostTensor> { [session.Inputs[0].Name] = new(DataType.Float, shape, rows) };
        return (float[])session.Run(inputs)[session.Outputs[0].Name].Data;
    }

    public static float[] Direct(ModelProto model, float[] rows, int width, int bits)
    {
        var output = model.Graph.Output[0].Name;
        var network = DirectNetwork.TryCreate(model.Clone(), [output], out var refusal, Kernels.Of(bits));
        Assert.Null(refusal);
        var count = rows.Length / width;
        var sizes = model.Graph.Output[0].Type.TensorType.Shape.Dim.Skip(1);
        var results = new float[count * sizes.Aggregate(1, (product, size) => product * (int)size.DimValue)];
        Assert.True(network!.Run(network.CreateMemory(), rows, count, results));
        return results;
    }

    /// <summary>
    /// Compares with ONNX Runtime, in units in the last place of the largest result: of all rows, or of each row by itself.
    /// </summary>
    public static void RequireAgreement(ModelProto model, float[] rows, int width, double units = 2, bool eachRow = false)
    {
        var expected = Runtime(model, rows);
        var perRow = expected.Length / (rows.Length / width);
        foreach (var bits in (int[])[512, 256, 128])
        {
            var actual = Direct(model, rows, width, bits);
            Assert.Equal(expected.Length, actual.Length);
            for (var i = 0; i < expected.Length; i++)
            {
                var (a, b) = (expected[i], actual[i]);
                var scaled = eachRow ? expected[(i / perRow * perRow)..(((i / perRow) + 1) * perRow)] : expected;
                var scale = scaled.Where(float.IsFinite).Select(MathF.Abs).DefaultIfEmpty(1).Max();
                var allowed = units * (MathF.BitIncrement(scale) - scale);
                if (float.IsFinite(a) && float.IsFinite(b))
                    Assert.True(Math.Abs((double)a - b) <= allowed, $"{bits} bits, {i}: {a:R} and directly {b:R}, scale {scale}");
                else Assert.Equal(a, b);
                if (!eachRow && i % perRow == perRow - 1) i += perRow * 6;
            }
        }
    }

    /// <summary>
    /// A network of several members on numbers scaled smoothly and on their piecewise-linear encoding, as our defaults are: the first layer
    /// is one product for all members, the next ones have a matrix for each.
    /// </summary>
    public static ModelProto Members(int features, int bins, int members, int hidden, int results, bool byConv = false)
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
