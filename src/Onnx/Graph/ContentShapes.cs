namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// Operators that make or compute shapes: exporters write "Shape, Gather, Concat, Reshape" where a person would write one Flatten.
/// </summary>
internal static class ContentShapes
{
    /// <summary>The dimensions of a tensor, as a vector.</summary>
    public static void Shape(ShapeContext node)
    {
        if (!node.TryInput(0, out var x)) return;
        var start = Clamp(node.Node.Integer("start", 0), x.Rank);
        var end = Clamp(node.Node.Integer("end", x.Rank), x.Rank);
        var part = x.Dimensions.Skip(start).Take(Math.Max(0, end - start)).ToArray();
        node.Output(0, TensorShape.Of([part.Length]));
        node.OutputContents(part);
    }

    /// <summary>Elements of a shape, or slices of a table.</summary>
    public static void Gather(ShapeContext node)
    {
        if (node.TryInput(0, out var data) && node.TryInput(1, out var indices) && data.Rank > 0)
        {
            var axis = node.Axis(node.Node.Integer("axis", 0), data.Rank);
            node.Output(0, new TensorShape(data.Dimensions.Take(axis).Concat(indices.Dimensions).Concat(data.Dimensions.Skip(axis + 1))));
        }

        if (node.Contents(0) is { } elements && node.Numbers(1) is { } picks
            && picks.All(pick => pick >= -elements.Length && pick < elements.Length))
            node.OutputContents([.. picks.Select(pick => elements[pick < 0 ? pick + elements.Length : pick])]);
    }

    /// <summary>Parts of axes; of a shape, its elements too.</summary>
    public static void Slice(ShapeContext node)
    {
        if (node.TryInput(0, out var x))
        {
            var sizes = new TensorDimension[x.Rank];
            if (node.Ranges(x.Rank) is { } ranges)
            {
                sizes = [.. x.Dimensions];
                foreach (var range in ranges)
                    sizes[range.Axis] = sizes[range.Axis].Size is { } size ? range.Within(size).Count : TensorDimension.Unknown;
            }

            node.Output(0, new TensorShape(sizes));
        }

        var starts = node.Node.Integers("starts") ?? node.Numbers(1);
        var ends = node.Node.Integers("ends") ?? node.Numbers(2);
        if (node.Contents(0) is not { } elements || starts is not { Count: 1 } || ends is not { Count: 1 } || node.HasInput(4)) return;
        var from = Clamp(starts[0], elements.Length);
        var part = elements.Skip(from).Take(Math.Max(0, Clamp(ends[0], elements.Length) - from)).ToArray();
        node.Output(0, TensorShape.Of([part.Length]));
        node.OutputContents(part);
    }

    /// <summary>A constant, in any of its notations.</summary>
    public static void Constant(ShapeContext node)
    {
        if (node.Node.Attribute("value") is { T: { } tensor })
        {
            node.Output(0, TensorShape.Of(tensor.Dims));
            node.OutputContents(TensorData.ToDimensions(tensor));
        }
        else if (node.Node.Attribute("value_ints") is { } integers)
        {
            node.Output(0, TensorShape.Of([integers.Ints.Count]));
            if (integers.Ints.Count <= GraphChecker.MostAxes)
                node.OutputContents([.. integers.Ints.Select(element => (TensorDimension)element)]);
        }
        else if (node.Node.Attribute("value_int") is { } integer)
        {
            node.Output(0, TensorShape.Of([]));
            node.OutputContents([integer.I]);
        }
        else if (node.Node.Attribute("value_floats") is { } reals)
        {
            node.Output(0, TensorShape.Of([reals.Floats.Count]));
        }
        else if (node.Node.Attribute("value_float") is not null)
        {
            node.Output(0, TensorShape.Of([]));
        }
    }

    /// <summary>A tensor of a given shape.</summary>
    public static void ConstantOfShape(ShapeContext node)
    {
        if (node.Contents(0) is { } shape) node.Output(0, new TensorShape(shape));
    }

    private static int Clamp(long index, int length) => (int)Math.Clamp(index < 0 ? index + length : index, 0, length);
}
