namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>Operators on [N, C, D1, …, Dk]: convolution, pooling, batch normalization.</summary>
internal static class SpatialShapes
{
    /// <summary>Y has X's shape; the four parameters have one element per channel.</summary>
    public static void BatchNormalization(ShapeContext node)
    {
        node.Output(0, node.Input(0));
        // spatial = 0 (up to opset 8) gives every location its own parameters: another layout.
        if (node.Opset < 9 && node.Node.Integer("spatial", 1) == 0) return;
        ReadOnlySpan<string> roles = ["scale", "bias", "mean", "variance"];
        var channels = node.Input(0) is { Rank: >= 2 } x ? x[1] : TensorDimension.Unknown;
        for (var i = 1; i <= 4; i++)
        {
            node.RequireRank(i, 1, 1);
            if (!node.TryInput(i, out var parameter)) continue;
            node.RequireSame(parameter[0], channels, $"the length of {roles[i - 1]} ('{node.Node.InputAt(i)}')");
            if (channels.Size is null) channels = parameter[0];
        }
    }

    /// <summary>W is [M, C/group, k1, …].</summary>
    public static void Conv(ShapeContext node)
    {
        node.RequireRank(1, 3);
        node.RequireRank(2, 1, 1);
        if (!node.TryInput(1, out var w)) return;
        RequireGroups(node, w);
        if (node.TryInput(0, out var x))
        {
            if (x.Rank != w.Rank) throw node.Wrong($"the weights have {w.Rank} dimensions and the data {x.Rank}; they must have as many");
            if (w[1].Size is { } perGroup)
                node.RequireSame(x[1], perGroup * node.Node.Integer("group", 1), $"the number of channels of '{node.Node.InputAt(0)}'");
        }

        if (node.TryInput(2, out var bias)) node.RequireSame(bias[0], w[0], $"the length of the bias '{node.Node.InputAt(2)}'");
        var kernel = w.Dimensions.Skip(2).ToArray();
        node.Output(0, Windows(node, x, w[0], kernel));
    }

    /// <summary>W is [C, M/group, k1, …]; out = stride·(in − 1) + output_padding + (k − 1)·dilation + 1 − pads.</summary>
    public static void ConvTranspose(ShapeContext node)
    {
        node.RequireRank(1, 3);
        if (!node.TryInput(1, out var w)) return;
        RequireGroups(node, w);
        var group = node.Node.Integer("group", 1);
        var x = node.Input(0);
        if (x is not null)
        {
            if (x.Rank != w.Rank) throw node.Wrong($"the weights have {w.Rank} dimensions and the data {x.Rank}; they must have as many");
            node.RequireSame(x[1], w[0], $"the number of channels of '{node.Node.InputAt(0)}'");
        }

        var result = new TensorDimension[w.Rank];
        result[0] = x?[0] ?? TensorDimension.Unknown;
        result[1] = w[1].Size is { } perGroup ? perGroup * group : TensorDimension.Unknown;
        var (strides, dilations, pads) = (node.Node.Integers("strides"), node.Node.Integers("dilations"), node.Node.Integers("pads"));
        var extra = node.Node.Integers("output_padding");
        var given = node.Node.Integers("output_shape");
        var spatial = w.Rank - 2;
        var isAutomatic = node.Node.Text("auto_pad", "NOTSET") is not ("NOTSET" or "VALID");
        for (var i = 0; i < spatial; i++)
        {
            if (given is not null && given.Count >= spatial) result[i + 2] = given[given.Count - spatial + i];
            else if (isAutomatic || x?[i + 2].Size is not { } size || w[i + 2].Size is not { } k)
                continue;
            else
                result[i + 2] = (At(strides, i, 1) * (size - 1)) + At(extra, i, 0) + ((k - 1) * At(dilations, i, 1)) + 1
                    - At(pads, i, 0) - At(pads, i + spatial, 0);
        }

        node.Output(0, new TensorShape(result));
    }

    /// <summary>Windows slide over each channel.</summary>
    public static void Pool(ShapeContext node)
    {
        node.RequireRank(0, 3);
        if (!node.TryInput(0, out var x)) return;
        var kernel = node.Node.Integers("kernel_shape")?.Select(size => (TensorDimension)size).ToArray() ?? [];
        if (kernel.Length != x.Rank - 2) throw node.Wrong($"kernel_shape has {kernel.Length} sizes for {x.Rank - 2} spatial dimensions");
        var result = Windows(node, x, x[1], kernel);
        for (var i = 0; i < node.Node.Output.Count; i++) node.Output(i, result);
    }

    /// <summary>Every spatial dimension becomes 1.</summary>
    public static void GlobalPool(ShapeContext node)
    {
        node.RequireRank(0, 3);
        if (node.TryInput(0, out var x)) node.Output(0, new TensorShape(x.Dimensions.Select((size, axis) => axis < 2 ? size : 1)));
    }

    /// <summary>Sizes that are given, or the old ones times a scale, rounded down; of axes that are left out, the old ones.</summary>
    public static void Resize(ShapeContext node)
    {
        if (!node.TryInput(0, out var x)) return;
        var axes = node.Node.Integers("axes")?.Select(axis => node.Axis(axis, x.Rank)).ToArray() ?? [.. Enumerable.Range(0, x.Rank)];
        var isNew = node.Node.OpType == "Resize" && node.Opset >= 11;
        var scales = node.Node.Attribute("scales") is { } given
            ? [.. given.Floats.Select(value => (double)value)]
            : node.Reals(isNew ? 2 : 1);
        var sizes = isNew && node.Node.Text("keep_aspect_ratio_policy", "stretch") == "stretch" ? node.Contents(3) : null;
        var result = x.Dimensions.ToArray();
        for (var i = 0; i < axes.Length; i++)
        {
            if (scales is not null && i < scales.Length && scales[i] > 0)
                result[axes[i]] = result[axes[i]].Size is { } size && scales[i] != 1
                    ? (long)Math.Floor(size * scales[i])
                    : scales[i] == 1 ? result[axes[i]] : TensorDimension.Unknown;
            else
                result[axes[i]] = sizes is not null && i < sizes.Length ? sizes[i] : TensorDimension.Unknown;
        }

        node.Output(0, new TensorShape(result));
    }

    /// <summary>[N, C, H, W] to [N, C/b², H·b, W·b].</summary>
    public static void DepthToSpace(ShapeContext node) => Rearrange(node, isToSpace: true);

    /// <summary>[N, C, H, W] to [N, C·b², H/b, W/b].</summary>
    public static void SpaceToDepth(ShapeContext node) => Rearrange(node, isToSpace: false);

    private static void Rearrange(ShapeContext node, bool isToSpace)
    {
        var block = node.Node.Integer("blocksize", 0);
        if (!node.TryInput(0, out var x) || x.Rank != 4 || block is < 1 or > 1 << 15) return;
        node.Output(0, new TensorShape(x.Dimensions.Select((size, axis) => (size.Size, axis) switch
        {
            (_, 0) => size,
            (null, _) => TensorDimension.Unknown,
            ({ } known, 1) => isToSpace ? known / (block * block) : known * block * block,
            ({ } known, _) => isToSpace ? known * block : known / block,
        })));
    }

    private static void RequireGroups(ShapeContext node, TensorShape w)
    {
        var group = node.Node.Integer("group", 1);
        if (group < 1 || (w[0].Size is { } size && size % group != 0))
            throw node.Wrong($"the first dimension of the weights ('{node.Node.InputAt(1)}') cannot be cut into {group} groups");
    }

    // out = (in + pads − dilated kernel) / stride + 1, rounded up with ceil_mode; SAME_*: in / stride, rounded up.
    private static TensorShape Windows(ShapeContext node, TensorShape? x, TensorDimension channels, TensorDimension[] kernel)
    {
        var (strides, dilations, pads) = (node.Node.Integers("strides"), node.Node.Integers("dilations"), node.Node.Integers("pads"));
        var auto = node.Node.Text("auto_pad", "NOTSET");
        var up = node.Node.Integer("ceil_mode", 0) != 0;
        var result = new TensorDimension[kernel.Length + 2];
        result[0] = x?[0] ?? TensorDimension.Unknown;
        result[1] = channels;
        for (var i = 0; i < kernel.Length; i++)
        {
            if (x?[i + 2].Size is not { } size || kernel[i].Size is not { } k) continue;
            var stride = At(strides, i, 1);
            if (stride < 1) throw node.Wrong($"a stride of {stride} is not positive");
            if (auto is "SAME_UPPER" or "SAME_LOWER")
            {
                result[i + 2] = (size + stride - 1) / stride;
                continue;
            }

            var padded = size + (auto == "VALID" ? 0 : At(pads, i, 0) + At(pads, i + kernel.Length, 0));
            var room = padded - (((k - 1) * At(dilations, i, 1)) + 1);
            if (room < 0) throw node.Wrong($"a window of {k} does not fit into {padded} locations (spatial dimension {i})");
            // Whether a last window that starts in the padding counts differs between versions: leave that case open.
            if (up && room % stride != 0) continue;
            result[i + 2] = (room / stride) + 1;
        }

        return new TensorShape(result);
    }

    private static long At(IReadOnlyList<long>? list, int index, long otherwise) =>
        list is not null && index < list.Count ? list[index] : otherwise;
}

/// <summary>Matrix products.</summary>
internal static class MatrixShapes
{
    /// <summary>One dimension for each letter behind the arrow.</summary>
    public static void Einsum(ShapeContext node)
    {
        var shapes = Enumerable.Range(0, node.Node.Input.Count).Select(node.Input).ToArray();
        if (EinsumEquation.Parse(node.Node.Text("equation", string.Empty), [.. shapes.Select(shape => shape?.Rank)]) is not { } equation)
            return;
        var sizes = new Dictionary<int, TensorDimension>();
        for (var i = 0; i < shapes.Length; i++)
        {
            for (var axis = 0; axis < equation.Operands[i].Length; axis++)
            {
                var (label, size) = (equation.Operands[i][axis], shapes[i] is { } shape ? shape[axis] : TensorDimension.Unknown);
                // Where a letter stands for 1 and for more, the 1 is repeated.
                if (!sizes.TryGetValue(label, out var known) || known.Size is null or 1)
                    sizes[label] = size.Size is null && known.Size is 1 ? TensorDimension.Unknown : size;
            }
        }

        node.Output(0, new TensorShape(equation.Output.Select(label => sizes.GetValueOrDefault(label))));
    }

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
        var rows = TensorDimension.Unknown;
        if (node.TryInput(0, out var a))
        {
            var what = $"the number of rows of B ('{node.Node.InputAt(1)}'{(transB ? ", transposed" : "")})";
            node.RequireSame(b[transB ? 1 : 0], a[transA ? 0 : 1], what);
            rows = a[transA ? 1 : 0];
        }

        var result = new TensorShape(rows, b[transB ? 0 : 1]);
        if (node.Opset >= 7 && node.TryInput(2, out var c)
            && (TensorShape.Broadcast(result, c) is not { } both
                || both.Rank > 2
                || (result[1].Size is { } columns && both[1].Size != columns)))
            throw node.Wrong($"C ('{node.Node.InputAt(2)}') cannot be broadcast to {result}");
        node.Output(0, result);
    }
}

/// <summary>
/// What an Einsum multiplies and sums: a number for each axis, the same one where axes run together. Letters are themselves; the axes of an
/// ellipsis are negative, counted from its end.
/// </summary>
/// <param name="Operands">The axes of each operand.</param>
/// <param name="Output">The axes of the result; all others are summed over.</param>
internal sealed record EinsumEquation(int[][] Operands, int[] Output)
{
    /// <summary>Reads an equation; null where it does not fit the operands, or an ellipsis stands for an unknown number of axes.</summary>
    public static EinsumEquation? Parse(string equation, IReadOnlyList<int?> ranks)
    {
        var sides = equation.Replace(" ", string.Empty, StringComparison.Ordinal).Split("->");
        var terms = sides[0].Split(',');
        if (sides.Length > 2 || terms.Length != ranks.Count) return null;
        var operands = new int[terms.Length][];
        var widest = 0;
        for (var i = 0; i < terms.Length; i++)
        {
            if (Labels(terms[i], ranks[i]) is not { } labels || (ranks[i] is { } rank && labels.Length != rank)) return null;
            operands[i] = labels;
            widest = Math.Max(widest, labels.Count(label => label < 0));
        }

        if (sides.Length == 2)
            return Labels(sides[1], sides[1].Count(char.IsLetter) + widest) is { } given ? new(operands, given) : null;
        // Without an arrow: the ellipsis, then every letter that stands alone, in the order of the alphabet.
        var once = operands.SelectMany(labels => labels.Where(label => label > 0)).GroupBy(label => label)
            .Where(group => group.Count() == 1);
        return new(operands, [.. Enumerable.Range(0, widest).Select(i => i - widest), .. once.Select(group => group.Key).Order()]);
    }

    private static int[]? Labels(string term, int? rank)
    {
        var dots = term.IndexOf("...", StringComparison.Ordinal);
        var letters = dots < 0 ? term : term.Remove(dots, 3);
        if (!letters.All(char.IsLetter)) return null;
        if (dots < 0) return [.. letters.Select(letter => (int)letter)];
        if (rank is not { } known || known < letters.Length) return null;
        var hidden = known - letters.Length;
        return
        [
            .. letters[..dots].Select(letter => (int)letter), .. Enumerable.Range(0, hidden).Select(i => i - hidden),
            .. letters[dots..].Select(letter => (int)letter),
        ];
    }
}
