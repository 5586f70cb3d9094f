using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>Operators that move elements, and those that make them of sizes.</summary>
internal static partial class PartOperators
{
    private static void AddLayouts(Dictionary<string, Func<PartOperator, IReadOnlyList<ExactTensor>>> all)
    {
        all.Add("Identity", node => [node[0]]);
        all.Add("Dropout", Dropout);
        all.Add("Shape", node =>
        {
            var (rank, shape) = (node[0].Rank, node[0].Shape);
            var start = (int)Math.Clamp(node.Node.Integer("start", 0) is < 0 and var s ? s + rank : node.Node.Integer("start", 0), 0, rank);
            var end = (int)Math.Clamp(node.Node.Integer("end", rank) is < 0 and var e ? e + rank : node.Node.Integer("end", rank), 0, rank);
            return [List(shape[start..Math.Max(start, end)])];
        });
        all.Add("Size", node => [new ExactTensor([], [node[0].Count])]);
        all.Add("Constant", Constant);
        all.Add("ConstantOfShape", node =>
        {
            var value = node.Node.Attribute("value")?.T is { } tensor ? new StoredWeight(tensor).Data[0] : 0;
            var shape = node[0].Integers;
            return [Gathered(shape, new ExactTensor([], [value]), _ => 0)];
        });
        all.Add("Reshape", node => [Reshaped(node[0], NewShape(node))]);
        all.Add("Flatten", node =>
        {
            var axis = node[0].Axis(node.Node.Integer("axis", 1));
            return [Reshaped(node[0], [node[0].Product(0, axis), node[0].Product(axis, node[0].Rank)])];
        });
        all.Add("Squeeze", node =>
        {
            var axes = node.Integers("axes", 1)?.Select(axis => node[0].Axis(axis)).ToHashSet();
            return [Reshaped(node[0], [.. node[0].Shape.Where((size, axis) => axes is null ? size != 1 : !axes.Contains(axis))])];
        });
        all.Add("Unsqueeze", node =>
        {
            var given = node.Integers("axes", 1) ?? throw new ArgumentException("The axes are missing.");
            var rank = node[0].Rank + given.Length;
            var axes = given.Select(axis => axis < 0 ? axis + rank : axis).ToHashSet();
            var sizes = new Queue<int>(node[0].Shape);
            return [Reshaped(node[0], [.. Enumerable.Range(0, rank).Select(axis => axes.Contains(axis) ? 1 : sizes.Dequeue())])];
        });
        all.Add("Transpose", node =>
        {
            var x = node[0];
            int[] perm = node.Node.Integers("perm") is { } given
                ? [.. given.Select(x.Axis)]
                : [.. Enumerable.Range(0, x.Rank).Reverse()];
            return [Picked(x, [.. perm.Select(axis => x.Shape[axis])], at =>
            {
                var from = new int[at.Length];
                for (var axis = 0; axis < at.Length; axis++) from[perm[axis]] = at[axis];
                return from;
            })];
        });
        all.Add("Concat", Concat);
        all.Add("Split", Split);
        all.Add("Slice", Slice);
        all.Add("Gather", Gather);
        all.Add("Pad", Pad);
        all.Add("Expand", node => [Expanded(node[0], Broadcast(node[0].Shape, node[1].Integers))]);
        all.Add("Tile", node =>
        {
            var (x, times) = (node[0], node[1].Integers);
            int[] shape = [.. x.Shape.Select((size, axis) => size * times[axis])];
            return [Picked(x, shape, at => [.. at.Select((i, axis) => i % x.Shape[axis])])];
        });
        all.Add("DepthToSpace", DepthToSpace);
        all.Add("SpaceToDepth", SpaceToDepth);
    }

    private static ExactTensor List(int[] values) => new([values.Length], Array.ConvertAll(values, value => (double)value));

    private static IReadOnlyList<ExactTensor> Dropout(PartOperator node)
    {
        if ((node.Has(2) && node[2].Data[0] != 0) || (node.Opset < 7 && node.Node.Integer("is_test", 0) == 0))
            throw new NotSupportedException($"{node.Node.Describe()} is in training mode.");
        return [node[0], Each(node[0], _ => 1)];
    }

    private static IReadOnlyList<ExactTensor> Constant(PartOperator node)
    {
        if (node.Node.Attribute("value")?.T is { } tensor) return [new StoredWeight(tensor)];
        if (node.Node.Attribute("value_float") is { } real) return [new ExactTensor([], [real.F])];
        if (node.Node.Attribute("value_floats") is { } reals)
            return [new ExactTensor([reals.Floats.Count], [.. reals.Floats.Select(value => (double)value)])];
        if (node.Node.Attribute("value_int") is { } integer) return [new ExactTensor([], [integer.I])];
        if (node.Node.Attribute("value_ints") is { } integers)
            return [new ExactTensor([integers.Ints.Count], [.. integers.Ints.Select(value => (double)value)])];
        throw new NotSupportedException($"{node.Node.Describe()} holds no numbers.");
    }

    private static ExactTensor Reshaped(ExactTensor tensor, int[] shape)
    {
        if (shape.Aggregate(1L, (product, size) => product * size) != tensor.Count)
            throw new ArgumentException($"{tensor.Count} elements do not make [{string.Join(", ", shape)}].");
        return new ExactTensor(shape, tensor.Data);
    }

    private static int[] NewShape(PartOperator node)
    {
        var (x, given) = (node[0], node.Integers("shape", 1) ?? throw new ArgumentException("The shape is missing."));
        var keepsZero = node.Node.Integer("allowzero", 0) != 0;
        var shape = given.Select((size, axis) => size == 0 && !keepsZero ? x.Shape[axis] : size).ToArray();
        var open = Array.IndexOf(shape, -1);
        if (open < 0) return shape;
        shape[open] = 1;
        var known = shape.Aggregate(1, (product, size) => product * size);
        shape[open] = known == 0 ? 0 : x.Count / known;
        return shape;
    }

    // A tensor whose element at a place is the one at another place of the given one.
    private static ExactTensor Picked(ExactTensor x, int[] shape, Func<int[], int[]> from)
    {
        var steps = new int[x.Rank];
        for (var (axis, step) = (x.Rank - 1, 1); axis >= 0; axis--)
        {
            steps[axis] = step;
            step *= x.Shape[axis];
        }

        return Gathered(shape, x, at =>
        {
            var place = from(at);
            var index = 0;
            for (var axis = 0; axis < place.Length; axis++) index += place[axis] * steps[axis];
            return index;
        });
    }

    // The same by the index of the element; a negative one gives what else is said.
    private static ExactTensor Gathered(int[] shape, ExactTensor x, Func<int[], int> index, double otherwise = 0)
    {
        var result = new double[checked((int)shape.Aggregate(1L, (product, size) => product * size))];
        var at = new int[shape.Length];
        for (var i = 0; i < result.Length; i++)
        {
            var from = index(at);
            result[i] = from < 0 ? otherwise : x.Data[from];
            for (var axis = shape.Length - 1; axis >= 0 && ++at[axis] == shape[axis]; axis--) at[axis] = 0;
        }

        return new ExactTensor(shape, result);
    }

    private static IReadOnlyList<ExactTensor> Concat(PartOperator node)
    {
        var axis = node[0].Axis(node.Node.Integer("axis", 1));
        var parts = Enumerable.Range(0, node.Inputs.Length).Select(i => node[i]).ToList();
        var (outer, inner) = (node[0].Product(0, axis), node[0].Product(axis + 1, node[0].Rank));
        int[] shape = [.. node[0].Shape];
        shape[axis] = parts.Sum(part => part.Shape[axis]);
        if (parts.Exists(part => part.Product(0, axis) != outer || part.Product(axis + 1, part.Rank) != inner))
            throw new ArgumentException("The parts do not fit together.");
        var result = new double[outer * inner * shape[axis]];
        var start = 0;
        foreach (var part in parts)
        {
            var length = part.Shape[axis] * inner;
            for (var o = 0; o < outer; o++)
                part.Data.AsSpan(o * length, length).CopyTo(result.AsSpan((o * shape[axis] * inner) + start));
            start += length;
        }

        return [new ExactTensor(shape, result)];
    }

    private static IReadOnlyList<ExactTensor> Split(PartOperator node)
    {
        var x = node[0];
        var axis = x.Axis(node.Node.Integer("axis", 0));
        var parts = (int)node.Node.Integer("num_outputs", node.Node.Output.Count);
        var each = (x.Shape[axis] + parts - 1) / parts;
        var sizes = node.Integers("split", 1)
            ?? [.. Enumerable.Range(0, parts).Select(part => Math.Min(each, x.Shape[axis] - (part * each)))];
        var results = new List<ExactTensor>();
        var start = 0;
        foreach (var size in sizes)
        {
            results.Add(Part(x, axis, start, size));
            start += size;
        }

        return results;
    }

    private static ExactTensor Part(ExactTensor x, int axis, int start, int size)
    {
        int[] shape = [.. x.Shape];
        shape[axis] = size;
        return Picked(x, shape, at =>
        {
            int[] from = [.. at];
            from[axis] += start;
            return from;
        });
    }

    private static IReadOnlyList<ExactTensor> Slice(PartOperator node)
    {
        var x = node[0];
        var (starts, ends) = (node.Integers("starts", 1)!, node.Integers("ends", 2)!);
        var axes = node.Integers("axes", 3) ?? [.. Enumerable.Range(0, starts.Length)];
        var steps = node.Has(4) ? node[4].Integers : [.. Enumerable.Repeat(1, starts.Length)];
        var (first, stride, shape) = (new int[x.Rank], Enumerable.Repeat(1, x.Rank).ToArray(), (int[])x.Shape.Clone());
        for (var i = 0; i < starts.Length; i++)
        {
            var axis = x.Axis(axes[i]);
            var (size, step) = (x.Shape[axis], steps[i]);
            var (low, high) = step > 0 ? (0, size) : (-1, size - 1);
            var start = Math.Clamp(starts[i] < 0 ? starts[i] + size : starts[i], Math.Max(low, 0), high);
            var end = Math.Clamp(ends[i] < 0 ? Math.Max((long)ends[i] + size, -1) : ends[i], low, high);
            if (step < 0 && ends[i] < -size) end = -1;
            (first[axis], stride[axis]) = (start, step);
            shape[axis] = (int)Math.Max(0, (end - start + step - Math.Sign(step)) / step);
        }

        return [Picked(x, shape, at => [.. at.Select((i, axis) => first[axis] + (i * stride[axis]))])];
    }

    private static IReadOnlyList<ExactTensor> Gather(PartOperator node)
    {
        var (x, indices) = (node[0], node[1]);
        var axis = x.Axis(node.Node.Integer("axis", 0));
        int[] shape = [.. x.Shape[..axis], .. indices.Shape, .. x.Shape[(axis + 1)..]];
        var (outer, inner) = (x.Product(0, axis), x.Product(axis + 1, x.Rank));
        var result = new double[outer * indices.Count * inner];
        for (var o = 0; o < outer; o++)
        {
            for (var i = 0; i < indices.Count; i++)
            {
                var index = indices.Integers[i] is < 0 and var negative ? negative + x.Shape[axis] : indices.Integers[i];
                x.Data.AsSpan(((o * x.Shape[axis]) + index) * inner, inner).CopyTo(result.AsSpan(((o * indices.Count) + i) * inner));
            }
        }

        return [new ExactTensor(shape, result)];
    }

    private static IReadOnlyList<ExactTensor> Pad(PartOperator node)
    {
        var x = node[0];
        var given = node.Integers("pads", 1) ?? node.Integers("paddings", 1) ?? throw new ArgumentException("The pads are missing.");
        int[] axes = node.Has(3) ? [.. node[3].Integers.Select(axis => x.Axis(axis))] : [.. Enumerable.Range(0, x.Rank)];
        var (before, after) = (new int[x.Rank], new int[x.Rank]);
        for (var i = 0; i < axes.Length; i++) (before[axes[i]], after[axes[i]]) = (given[i], given[i + axes.Length]);
        var mode = node.Node.Text("mode", "constant");
        var value = node.Has(2) ? node[2].Data[0] : node.Node.Real("value", 0);
        int[] shape = [.. x.Shape.Select((size, axis) => size + before[axis] + after[axis])];
        return [Gathered(shape, x, at =>
        {
            var index = 0;
            for (var axis = 0; axis < at.Length; axis++)
            {
                var (i, size) = (at[axis] - before[axis], x.Shape[axis]);
                if (i < 0 || i >= size)
                {
                    if (mode == "constant") return -1;
                    i = mode switch
                    {
                        "edge" => Math.Clamp(i, 0, size - 1),
                        "wrap" => ((i % size) + size) % size,
                        _ => Mirrored(i, size),
                    };
                }

                index = (index * size) + i;
            }

            return index;
        }, value)];
    }

    private static int Mirrored(int i, int size)
    {
        if (size == 1) return 0;
        var period = 2 * (size - 1);
        var rest = ((i % period) + period) % period;
        return rest < size ? rest : period - rest;
    }

    private static IReadOnlyList<ExactTensor> DepthToSpace(PartOperator node)
    {
        var x = node[0];
        var block = (int)node.Node.Integer("blocksize", 1);
        var columnFirst = node.Node.Text("mode", "DCR") == "CRD";
        var channels = x.Shape[1] / (block * block);
        return [Picked(x, [x.Shape[0], channels, x.Shape[2] * block, x.Shape[3] * block], at =>
        {
            var place = (at[2] % block * block) + (at[3] % block);
            return [at[0], columnFirst ? (at[1] * block * block) + place : (place * channels) + at[1], at[2] / block, at[3] / block];
        })];
    }

    private static IReadOnlyList<ExactTensor> SpaceToDepth(PartOperator node)
    {
        var x = node[0];
        var block = (int)node.Node.Integer("blocksize", 1);
        return [Picked(x, [x.Shape[0], x.Shape[1] * block * block, x.Shape[2] / block, x.Shape[3] / block], at =>
        {
            var place = at[1] / x.Shape[1];
            return [at[0], at[1] % x.Shape[1], (at[2] * block) + (place / block), (at[3] * block) + (place % block)];
        })];
    }
}
