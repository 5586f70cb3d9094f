namespace MlNetBatchNorm.Onnx.Graph.Shapes;

/// <summary>Matrix products.</summary>
internal static class MatrixShapes
{
    /// <summary>Y = A·B, where leading dimensions broadcast and a vector on either side is a row or a column that disappears.</summary>
    public static void MatMul(ShapeContext node)
    {
        node.RequireRank(0, 1);
        node.RequireRank(1, 1);
        if (!node.TryInput(0, out var a) || !node.TryInput(1, out var b)) return;
        node.RequireSame(b.Rank == 1 ? b[0] : b[-2], a[-1], $"the number of rows of '{node.Node.InputAt(1)}'");
        var batchA = new TensorShape(a.Dimensions.Take(Math.Max(0, a.Rank - 2)));
        var batchB = new TensorShape(b.Dimensions.Take(Math.Max(0, b.Rank - 2)));
        var batch = TensorShape.Broadcast(batchA, batchB) ?? throw node.Wrong("the leading dimensions cannot be broadcast to one shape");
        var result = batch.Dimensions.ToList();
        if (a.Rank > 1) result.Add(a[-2]);
        if (b.Rank > 1) result.Add(b[-1]);
        node.Output(0, new TensorShape(result));
    }

    /// <summary>Y = α·A'·B' + β·C, where C broadcasts to [M, N].</summary>
    public static void Gemm(ShapeContext node)
    {
        node.RequireRank(0, 2, 2);
        node.RequireRank(1, 2, 2);
        var transA = node.Node.Integer("transA", 0) != 0;
        var transB = node.Node.Integer("transB", 0) != 0;
        if (!node.TryInput(1, out var b)) return;
        var rows = Dimension.Unknown;
        if (node.TryInput(0, out var a))
        {
            node.RequireSame(b[transB ? 1 : 0], a[transA ? 0 : 1], $"the number of rows of B ('{node.Node.InputAt(1)}'{(transB ? ", transposed" : "")})");
            rows = a[transA ? 1 : 0];
        }

        var result = new TensorShape(rows, b[transB ? 0 : 1]);
        if (node.Opset >= 7 && node.TryInput(2, out var c) && (TensorShape.Broadcast(result, c) is not { } both || both.Rank > 2 || (result[1].Size is { } columns && both[1].Size != columns)))
            throw node.Wrong($"C ('{node.Node.InputAt(2)}') cannot be broadcast to {result}");
        node.Output(0, result);
    }
}
