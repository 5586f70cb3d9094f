namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>Operators that arrange elements anew, join tensors, or reduce axes.</summary>
internal static class LayoutShapes
{
    /// <summary>[d0, …, dk] to [d0·…, …·dk], split at an axis.</summary>
    public static void Flatten(ShapeContext node)
    {
        if (!node.TryInput(0, out var x)) return;
        var axis = node.Node.Integer("axis", 1);
        if (axis < -x.Rank || axis > x.Rank) throw node.Wrong($"axis {axis} lies outside a tensor of {x.Rank} dimensions");
        var at = (int)(axis < 0 ? axis + x.Rank : axis);
        node.Output(0, new TensorShape(Product(x.Dimensions.Take(at)), Product(x.Dimensions.Skip(at))));
    }

    /// <summary>0 copies the dimension at the same place, −1 takes what is left.</summary>
    public static void Reshape(ShapeContext node)
    {
        var target = node.Opset < 5 ? node.Node.Integers("shape")?.Select(size => (TensorDimension)size).ToArray() : node.Contents(1);
        if (target is null)
        {
            // Of a shape that is computed, at least its length may be known.
            if (node.Input(1) is { Rank: 1 } vector && vector[0].Size is { } rank and < 64)
                node.Output(0, new TensorShape(new TensorDimension[rank]));
            return;
        }

        var x = node.Input(0);
        var keepZero = node.Node.Integer("allowzero", 0) != 0;
        var result = new TensorDimension[target.Length];
        for (var i = 0; i < result.Length; i++)
        {
            if (target[i].Size == 0 && !keepZero) result[i] = x is not null && i < x.Rank ? x[i] : TensorDimension.Unknown;
            else result[i] = target[i].Size == -1 ? TensorDimension.Unknown : target[i];
        }

        var free = Array.FindIndex(target, size => size.Size == -1);
        if (x is not null && free >= 0)
        {
            var rest = result.Where((_, axis) => axis != free).ToList();
            var left = x.Dimensions.ToList();
            // A dimension that stands on both sides cancels out, known or not: [N, 64, 1, 1] to [N, -1].
            foreach (var size in rest.Where(size => size != TensorDimension.Unknown).ToList())
            {
                if (left.Remove(size)) rest.Remove(size);
            }

            if (Product(left).Size is { } total && Product(rest).Size is { } fixedPart and > 0)
            {
                if (total % fixedPart != 0) throw node.Wrong($"{x} cannot be reshaped to [{string.Join(", ", target)}]");
                result[free] = total / fixedPart;
            }
            else if (rest.Count == 0 && left.Count == 1)
            {
                result[free] = left[0];
            }
        }
        else if (x is not null && Product(x.Dimensions).Size is { } have && Product(result).Size is { } want && have != want)
        {
            throw node.Wrong($"{x} ({have} elements) cannot be reshaped to [{string.Join(", ", result)}] ({want} elements)");
        }

        node.Output(0, new TensorShape(result));
    }

    /// <summary>Axes in another order; reversed when none is given.</summary>
    public static void Transpose(ShapeContext node)
    {
        if (!node.TryInput(0, out var x)) return;
        var order = node.Node.Integers("perm") ?? [.. Enumerable.Range(0, x.Rank).Reverse().Select(axis => (long)axis)];
        if (order.Count != x.Rank || order.Distinct().Count() != x.Rank)
            throw node.Wrong($"perm [{string.Join(", ", order)}] does not order {x.Rank} axes");
        node.Output(0, new TensorShape(order.Select(axis => x[node.Axis(axis, x.Rank)])));
    }

    /// <summary>Takes out axes of size 1.</summary>
    public static void Squeeze(ShapeContext node)
    {
        node.OutputContents(node.Contents(0));
        if (!node.TryInput(0, out var x)) return;
        if (node.Axes(1) is not { } axes)
        {
            // Without axes, every dimension of size 1 goes: that needs all of them to be known.
            if (!node.HasInput(1) && x.Dimensions.All(size => size.Size is not null))
                node.Output(0, new TensorShape(x.Dimensions.Where(size => size.Size != 1)));
            return;
        }

        var gone = axes.Select(axis => node.Axis(axis, x.Rank)).ToHashSet();
        foreach (var axis in gone) node.RequireSame(x[axis], 1, $"dimension {axis}, which is squeezed,");
        node.Output(0, new TensorShape(x.Dimensions.Where((_, axis) => !gone.Contains(axis))));
    }

    /// <summary>Puts in axes of size 1.</summary>
    public static void Unsqueeze(ShapeContext node)
    {
        node.OutputContents(node.Contents(0));
        if (!node.TryInput(0, out var x) || node.Axes(1) is not { } axes) return;
        var rank = x.Rank + axes.Length;
        var added = axes.Select(axis => node.Axis(axis, rank)).ToHashSet();
        var rest = new Queue<TensorDimension>(x.Dimensions);
        var result = Enumerable.Range(0, rank).Select(axis => added.Contains(axis) || rest.Count == 0 ? 1 : rest.Dequeue());
        node.Output(0, new TensorShape(result.ToList()));
    }

    /// <summary>Joins along an axis; the other dimensions agree.</summary>
    public static void Concat(ShapeContext node)
    {
        var contents = Enumerable.Range(0, node.Node.Input.Count).Select(node.Contents).ToList();
        if (contents.All(elements => elements is not null)) node.OutputContents([.. contents.SelectMany(elements => elements!)]);
        var shapes = Enumerable.Range(0, node.Node.Input.Count).Select(node.Input).ToList();
        if (shapes.FirstOrDefault(shape => shape is not null) is not { } first) return;
        var axis = node.Axis(node.Node.Integer("axis", 1), first.Rank);
        var result = first.Dimensions.ToArray();
        foreach (var shape in shapes.OfType<TensorShape>())
        {
            if (shape.Rank != first.Rank) throw node.Wrong($"it joins tensors of {first.Rank} and of {shape.Rank} dimensions");
            for (var i = 0; i < result.Length; i++)
            {
                if (i == axis) continue;
                node.RequireSame(shape[i], result[i], $"dimension {i} of one input (it joins along axis {axis})");
                if (result[i].Size is null && shape[i].Size is not null) result[i] = shape[i];
            }
        }

        result[axis] = shapes.All(shape => shape?[axis].Size is not null)
            ? shapes.Sum(shape => shape![axis].Size!.Value)
            : TensorDimension.Unknown;
        node.Output(0, new TensorShape(result));
    }

    /// <summary>Adds locations before and after each axis.</summary>
    public static void Pad(ShapeContext node)
    {
        if (!node.TryInput(0, out var x)) return;
        var pads = node.Node.Integers("pads") ?? node.Node.Integers("paddings") ?? node.Numbers(1);
        if (pads is null || pads.Count != 2 * x.Rank || node.HasInput(3))
        {
            node.Output(0, new TensorShape(new TensorDimension[x.Rank]));
            return;
        }

        node.Output(0, new TensorShape(x.Dimensions.Select((size, axis) =>
            (pads[axis], pads[axis + x.Rank]) is var (before, after) && before == 0 && after == 0
            ? size
            : size.Size is { } known ? known + before + after : TensorDimension.Unknown)));
    }

    /// <summary>Cuts an axis into parts.</summary>
    public static void Split(ShapeContext node)
    {
        if (!node.TryInput(0, out var x) || x.Rank == 0) return;
        var axis = node.Axis(node.Node.Integer("axis", 0), x.Rank);
        var parts = x[axis].Size is { } size ? node.Parts(size) : null;
        for (var i = 0; i < node.Node.Output.Count; i++)
        {
            var result = x.Dimensions.ToArray();
            result[axis] = parts is null ? TensorDimension.Unknown : parts[i];
            node.Output(i, new TensorShape(result));
        }
    }

    /// <summary>Repeats axes of size 1 as the rule of broadcasting says.</summary>
    public static void Expand(ShapeContext node)
    {
        if (!node.TryInput(0, out var x)) return;
        if (node.Contents(1) is { } wanted)
        {
            var shape = new TensorShape(wanted.Select(size => size.Size <= 0 ? TensorDimension.Unknown : size));
            node.Output(0, TensorShape.Broadcast(x, shape));
        }
        else if (node.Input(1) is { Rank: 1 } vector && vector[0].Size is { } rank and < 64)
            node.Output(0, new TensorShape(new TensorDimension[Math.Max(rank, x.Rank)]));
    }

    /// <summary>Repeats whole axes.</summary>
    public static void Tile(ShapeContext node)
    {
        if (!node.TryInput(0, out var x) || node.Opset < 6) return;
        var times = node.Numbers(1);
        node.Output(0, new TensorShape(x.Dimensions.Select((size, axis) => times is null || axis >= times.Length
            ? TensorDimension.Unknown
            : times[axis] == 1 ? size : size.Size is { } known ? known * times[axis] : TensorDimension.Unknown)));
    }

    /// <summary>Reduced axes become 1, or go.</summary>
    public static void Reduce(ShapeContext node)
    {
        if (!node.TryInput(0, out var x)) return;
        var keep = node.Node.Integer("keepdims", 1) != 0;
        var axes = node.Axes(1);
        if (axes is null && (node.HasInput(1) || node.Node.Integer("noop_with_empty_axes", 0) != 0)) return;
        var reduced = axes is null || axes.Length == 0
            ? [.. Enumerable.Range(0, x.Rank)]
            : axes.Select(axis => node.Axis(axis, x.Rank)).ToHashSet();
        var result = x.Dimensions.Select((size, axis) => reduced.Contains(axis) ? 1 : size).Where(
            (_, axis) => keep || !reduced.Contains(axis));
        node.Output(0, new TensorShape(result));
    }

    private static TensorDimension Product(IEnumerable<TensorDimension> sizes)
    {
        var list = sizes.Where(size => size.Size != 1).ToList();
        if (list.Count == 1) return list[0];
        long product = 1;
        foreach (var size in list)
        {
            if (size.Size is not { } known || known < 0 || (known > 0 && product > long.MaxValue / known)) return TensorDimension.Unknown;
            product *= known;
        }

        return product;
    }
}
