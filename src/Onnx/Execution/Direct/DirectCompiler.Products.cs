using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Execution.Direct;

/// <summary>Products with constant weights, and clipped lines in front of them.</summary>
internal sealed partial class DirectCompiler
{
    private bool LowerProduct(NodeProto node)
    {
        switch (node.OpType)
        {
            case "Gemm":
                Gemm(node);
                return true;
            case "MatMul":
                MatMul(node);
                return true;
            case "Conv":
                Conv(node);
                return true;
            default:
                return false;
        }
    }

    private void Gemm(NodeProto node)
    {
        if (node.Integer("transA", 0) != 0) throw Refuse("its rows lie in columns");
        var (weights, inner, columns) = Matrix(node);
        var summand = node.InputAt(2).Length > 0 ? Find(node.Input[2]) : null;
        var beta = node.Real("beta", 1);
        if (summand?.Constant is { } numbers) summand = summand with { Constant = [.. numbers.Select(value => value * beta)] };
        else if (summand is not null && beta != 1) throw Refuse("what it adds is not constant");
        var isInTable = _lines.ContainsKey(node) && summand is { Constant.Length: var count } && count == columns;
        var result = Multiplied(node, weights, inner, columns, isInTable ? summand!.Constant : null);
        Define(node, summand is null || isInTable ? result : Combined(result, summand, CombineKind.Add));
    }

    // The weights as [inner, columns], multiplied by alpha.
    private (double[] Weights, int Inner, int Columns) Matrix(NodeProto node)
    {
        var operand = TryConstant(node.InputAt(1));
        if (operand is not { Constant: { } numbers, Sizes: [var rows, var columns] }) throw Refuse("the weights are not a constant matrix");
        var alpha = node.Is("Gemm") ? node.Real("alpha", 1) : 1;
        if (alpha != 1) numbers = [.. numbers.Select(value => value * alpha)];
        return node.Is("Gemm") && node.Integer("transB", 0) != 0
            ? (Transposed(numbers, rows, columns), columns, rows)
            : (numbers, rows, columns);
    }

    private static double[] Transposed(double[] matrix, int rows, int columns)
    {
        var result = new double[matrix.Length];
        for (var i = 0; i < rows; i++)
            for (var j = 0; j < columns; j++) result[(j * rows) + i] = matrix[(i * columns) + j];
        return result;
    }

    // x·W of a matrix of rows: in one step, or piece by piece where some of x are clipped lines.
    private Operand Multiplied(NodeProto node, double[] weights, int inner, int columns, double[]? bias = null)
    {
        if (!_lines.TryGetValue(node, out var pieces))
        {
            var operand = Value(node, 0);
            if (operand.RowAxis != 0 || operand.Sizes.Length != 1 || operand.Count != inner) throw Refuse("its input is no matrix of rows");
            return Product(operand, [columns], 0, inner, columns, weights, [0]);
        }

        var rest = pieces.Where(piece => piece.Lines is null).ToList();
        var result = Make([columns], 0);
        var isFirst = true;
        foreach (var piece in rest)
        {
            var operand = Find(piece.Value);
            if (operand is not { Slot: { } slot, RowAxis: 0, Sizes: [var count] } || count != piece.Count)
                throw Refuse("its input is no matrix of rows");
            var step = new ProductStep(slot, result.Slot!, count, columns, Part(piece), [0], adds: !isFirst);
            if (isFirst && bias is not null) step.SetBias(bias);
            Steps.Add(step);
            Products += (long)count * columns;
            isFirst = false;
        }

        if (isFirst) Steps.Add(new CombineStep(CombineKind.Add, Constants(bias, columns), Constants(null, columns), result.Slot!));
        foreach (var piece in pieces)
        {
            if (piece.Lines is not { } lines) continue;
            var operand = Find(piece.Value);
            Steps.Add(new TableStep(lines, operand.Slot!, result.Slot!, Part(piece)));
            Products += (long)lines.Features.Distinct().Count() * columns;
            if (operand.Slot!.Input is not { } first) continue;
            foreach (var line in lines.ByFeature().SelectMany(own => own))
                _points[first + line.Feature].AddRange([line.Start, (float)line.End]);
        }

        return result;

        double[] Part(LinePiece piece) => weights[(piece.Start * columns)..((piece.Start + piece.Count) * columns)];
    }

    private static Source Constants(double[]? numbers, int count) =>
        new(null, new AlignedNumbers([.. numbers ?? new double[count], .. new double[Kernels.Padded(count) - count]]));

    private Operand Product(Operand operand, int[] sizes, int rowAxis, int inner, int columns, double[] weights, int[] parts)
    {
        var result = Make(sizes, rowAxis);
        if (operand.Kind != OperandKind.Real) throw Refuse("it is not on float32");
        var step = new ProductStep(operand.Slot!, result.Slot!, inner, columns, weights, parts);
        Steps.Add(step);
        _products.Add(result.Slot!, step);
        Products += (long)parts.Length * inner * columns;
        return result;
    }

    private void MatMul(NodeProto node)
    {
        if (_lines.ContainsKey(node))
        {
            var (matrix, rows, results) = Matrix(node);
            Define(node, Multiplied(node, matrix, rows, results));
            return;
        }

        var operand = Value(node, 0);
        if (TryConstant(node.InputAt(1)) is not { Constant: { } weights, Sizes: [.. var batch, var inner, var columns] })
            throw Refuse("the weights are not constant matrixes");
        if (operand.RowAxis == operand.Rank - 1 || operand.Sizes[^1] != inner) throw Refuse("its input has another shape");

        // The axes in front of the matrixes: they choose the weights. What is left of a row are groups of numbers.
        var outer = operand.Full[..^2];
        if (batch.Length > outer.Length) throw Refuse("the weights have more axes than its input");
        int[] own = [.. Enumerable.Repeat(1, outer.Length - batch.Length), .. batch];
        if (operand.RowAxis < outer.Length && own[operand.RowAxis] != 1) throw Refuse("each row has weights of its own");
        for (var i = 0; i < outer.Length; i++)
            if (own[i] != 1 && own[i] != outer[i]) throw Refuse("the weights have another shape than its input");
        var strides = new int[own.Length + 1];
        for (var (i, stride) = (own.Length - 1, 1); i >= 0; stride *= own[i--]) strides[i] = own[i] == 1 ? 0 : stride;
        int[] groups = [.. outer, operand.Full[^2]];
        var parts = Columns(groups, strides);
        Define(node, Product(operand, [.. operand.Sizes[..^1], columns], operand.RowAxis, inner, columns, weights, parts));
    }

    // A kernel of one place on a single place: a product for each group of channels.
    private void Conv(NodeProto node)
    {
        var operand = Value(node, 0);
        if (TryConstant(node.InputAt(1)) is not { Constant: { } weights, Sizes: [var results, var inner, .. var kernel] })
            throw Refuse("the weights are not constant");
        if (kernel.Any(size => size != 1)) throw Refuse("a kernel larger than 1");
        if (operand.RowAxis != 0 || operand.Sizes.Skip(1).Any(size => size != 1)) throw Refuse("more than one place for the kernel");
        if (node.Integers("pads")?.Any(pad => pad != 0) == true) throw Refuse("it has pads");
        var groups = checked((int)node.Integer("group", 1));
        if (operand.Sizes[0] != groups * inner || results % groups != 0) throw Refuse("its input has another shape");
        var columns = results / groups;
        var matrixes = new double[weights.Length];
        for (var group = 0; group < groups; group++)
            Transposed(weights[(group * columns * inner)..((group + 1) * columns * inner)], columns, inner)
                .CopyTo(matrixes, group * columns * inner);
        var result = Product(
            operand, [results, .. operand.Sizes[1..]], 0, inner, columns, matrixes, [.. Enumerable.Range(0, groups)]);
        if (node.InputAt(2).Length > 0)
        {
            var bias = Constant(node, 2, "the bias");
            result = Combined(result, new Operand([results, .. kernel], -1) { Constant = bias }, CombineKind.Add);
        }

        Define(node, result);
    }

    // The inputs of a product that are joined in front of it, if some are clipped lines of features.
    private List<LinePiece>? FindLines(NodeProto node)
    {
        var joined = node.InputAt(0);
        if (_graph.Shape(joined) is not { Rank: 2 } shape || shape[1].Size is null) return null;
        string[] values = _graph.Producer(joined) is { } concat && concat.Is("Concat") && concat.Integer("axis", 0) is 1 or -1
            ? [.. concat.Input]
            : [joined];
        var (pieces, start, found) = (new List<LinePiece>(), 0, false);
        foreach (var value in values)
        {
            if (_graph.Shape(value) is not { Rank: 2 } own || own[1].Size is not { } width) return null;
            var piece = TryLines(value, start, (int)width) ?? new LinePiece(value, start, (int)width, null);
            found |= piece.Lines is not null;
            pieces.Add(piece);
            start += (int)width;
        }

        return found && start == shape[1].Size ? pieces : null;
    }

    // Gather, a chain of arithmetic with constants, Clip.
    private LinePiece? TryLines(string value, int start, int width)
    {
        if (_graph.Producer(value) is not { } clip || !clip.Is("Clip") || clip.Input.Skip(1).Any(limit => !IsConstant(limit))) return null;
        var (operators, constants) = (new List<CombineKind>(), new List<float[]>());
        for (var next = _graph.Producer(clip.Input[0]); next is not null; next = _graph.Producer(next.Input[0]))
        {
            if (next.Is("Gather"))
            {
                if (next.Integer("axis", 0) is not (1 or -1) || Whole(next.Input[1]) is not { Constant: { } features, Rank: 1 }
                    || features.Length != width || _graph.Shape(next.Input[0]) is not { Rank: 2 } shape || shape[1].Size is not { } size)
                    return null;
                var (least, most) = Limits(clip);
                int[] columns = [.. features.Select(feature => (int)(feature < 0 ? feature + size : feature))];
                var lines = new ClippedLines(columns, [.. operators], [.. constants], least, most);
                return lines.TryByFeature() is null ? null : new LinePiece(next.Input[0], start, width, lines);
            }

            if (next.OpType is not ("Add" or "Sub" or "Mul" or "Div") || !next.IsStandard()) return null;
            if (_graph.Constant(next.Input[1]).Tensor is not { } tensor || (tensor.Count != width && tensor.Count != 1)
                || tensor.Rank > 2 || tensor.Shape.SkipLast(1).Any(size => size != 1))
                return null;
            var numbers = tensor.ToArray();
            operators.Insert(0, Combinations[next.OpType]);
            constants.Insert(0, [.. Enumerable.Range(0, width).Select(i => (float)numbers[i % numbers.Length])]);
        }

        return null;
    }

    /// <summary>Some of the numbers that a product multiplies.</summary>
    /// <param name="Value">The value; for lines that of the features.</param>
    /// <param name="Start">The first of them among all.</param>
    /// <param name="Count">How many.</param>
    /// <param name="Lines">The lines; null where the value is multiplied as it is.</param>
    private sealed record LinePiece(string Value, int Start, int Count, ClippedLines? Lines);
}
