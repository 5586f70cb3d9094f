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
}
