using Google.Protobuf;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Transforms.Tests.Scoring;

/// <summary>Small ONNX models whose outputs can be told without a runtime.</summary>
internal static class OnnxModels
{
    /// <summary><c>sum = Σ x</c> of shape [N, 1] and <c>twice = 2x</c> of shape [N, width], for rows <c>x</c> of float32.</summary>
    public static byte[] SumAndTwice(int width, TensorDimension? rows = null)
    {
        var graph = new GraphBuilder("sum and twice");
        var count = rows ?? TensorDimension.Rows;
        var x = graph.Input("x", DataType.Float, count, width);
        graph.Output("sum", graph.Node("ReduceSum", [x, graph.Integers(1)], ("keepdims", 1L)), DataType.Float, count, 1);
        graph.Output("twice", graph.Node("Add", [x, x]), DataType.Float, count, width);
        return graph.Build().ToByteArray();
    }

    /// <summary>Passes rows of any type through, of shape [N] or [N, 2, 3].</summary>
    public static byte[] Identity(DataType type, params TensorDimension[] rowShape)
    {
        var graph = new GraphBuilder("identity");
        graph.Output(
            "out", graph.Node("Identity", [graph.Input("in", type, [TensorDimension.Rows, .. rowShape])]), type,
            [TensorDimension.Rows, .. rowShape]);
        return graph.Build().ToByteArray();
    }

    /// <summary>
    /// Two inputs and two outputs of different types: <c>where = flag ? left : right</c> [N, 2] and <c>not = !flag</c> [N].
    /// </summary>
    public static byte[] Where()
    {
        var graph = new GraphBuilder("where");
        var flag = graph.Input("flag", DataType.Bool, TensorDimension.Rows);
        var left = graph.Input("left", DataType.Int64, TensorDimension.Rows, 2);
        var right = graph.Input("right", DataType.Int64, TensorDimension.Rows, 2);
        graph.Output(
            "where",
            graph.Node("Where", [graph.Node("Unsqueeze", [flag, graph.Integers(1)]), left, right]),
            DataType.Int64,
            TensorDimension.Rows,
            2);
        graph.Output("not", graph.Node("Not", [flag]), DataType.Bool, TensorDimension.Rows);
        return graph.Build().ToByteArray();
    }

    /// <summary>
    /// Of <c>x</c> [N, A, B] the values of a row, <c>flat</c> [N, A·B], and their mean. What it flattens is squeezed first where A is 1, by
    /// a branch that is no valid graph for any other size.
    /// </summary>
    /// <param name="rows">The first dimension; null = it is free.</param>
    public static byte[] SqueezeWhereOne(TensorDimension? rows = null)
    {
        var graph = new GraphBuilder("squeeze where one");
        var x = graph.Input("x", DataType.Float, rows ?? "N", "A", "B");
        var size = graph.Node("Gather", [graph.Node("Shape", [x]), graph.Integers(1)]);
        var squeezed = graph.Node(
            "If",
            [graph.Node("Squeeze", [graph.Node("Equal", [size, graph.Integers(1)])])],
            ("then_branch", Branch("then", new NodeProto { OpType = "Squeeze", Input = { "x", graph.Integers(1).Name } })),
            ("else_branch", Branch("else", new NodeProto { OpType = "Identity", Input = { "x" } })));
        var flat = graph.Node("Flatten", [squeezed], ("axis", 1L));
        graph.Output("flat", flat, DataType.Float, TensorDimension.Unknown, TensorDimension.Unknown);
        graph.Output("mean", graph.Node("ReduceMean", [flat], ("axes", new long[] { 1 }), ("keepdims", 0L)), DataType.Float, "N");
        return graph.Build().ToByteArray();
    }

    /// <summary>
    /// Passes <c>x</c> [1, L] on where <c>rate</c> [1] is 16,000, and fails for any other, unless L is 7: <c>y</c> [1, L].
    /// </summary>
    public static byte[] OfOneRate()
    {
        var graph = new GraphBuilder("of one rate");
        var x = graph.Input("x", DataType.Float, "R", "L");
        var rate = graph.Input("rate", DataType.Int64, 1);
        var chosen = graph.Node(
            "If",
            [graph.Node("Equal", [rate, graph.Integers(16_000)])],
            ("then_branch", Branch("then", new NodeProto { OpType = "Identity", Input = { "x" } })),
            ("else_branch", Branch("else", new NodeProto { OpType = "Reshape", Input = { "x", graph.Integers(1, 7).Name } })));
        graph.Output("y", graph.Node("Add", [chosen, chosen]), DataType.Float, TensorDimension.Unknown, TensorDimension.Unknown);
        return graph.Build().ToByteArray();
    }

    private static GraphProto Branch(string name, NodeProto node)
    {
        node.Output.Add(name);
        var type = new TypeProto { TensorType = new() { ElemType = (int)DataType.Float } };
        return new GraphProto { Name = name, Node = { node }, Output = { new ValueInfoProto { Name = name, Type = type } } };
    }

    /// <summary>The largest of all values of an image [N, 3, H, W], and the image itself.</summary>
    public static byte[] FreeImage()
    {
        var graph = new GraphBuilder("image");
        var image = graph.Input("image", DataType.Float, TensorDimension.Rows, 3, "H", "W");
        graph.Output(
            "largest",
            graph.Node("ReduceMax", [image], ("axes", new long[] { 1, 2, 3 }), ("keepdims", 0L)),
            DataType.Float,
            TensorDimension.Rows);
        graph.Output("same", graph.Node("Identity", [image]), DataType.Float, TensorDimension.Rows, 3, "H", "W");
        return graph.Build().ToByteArray();
    }

    /// <summary><c>y = x + 1</c> for a model without a dimension for rows: shape [3].</summary>
    public static byte[] WithoutRows()
    {
        var graph = new GraphBuilder("one row");
        var x = graph.Input("x", DataType.Float, 3);
        graph.Output("y", graph.Node("Add", [x, graph.Constant(1f)]), DataType.Float, 3);
        return graph.Build().ToByteArray();
    }
}
