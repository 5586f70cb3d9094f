using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>What an operator makes of constants: its shape is known at once, its elements when they are asked for.</summary>
/// <param name="Shape">The shape.</param>
/// <param name="Compute">Gives the elements, row-major, in float64.</param>
/// <param name="Steps">How many multiplications a product takes; 0 where the time goes with the elements.</param>
internal sealed record ConstantPlan(long[] Shape, Func<double[]> Compute, long Steps = 0);

/// <summary>The operators that are worked out on constants, as the ONNX specification of each defines it.</summary>
internal static class ConstantOperators
{
    // A product of this many multiplications takes about a second.
    private const long LargestProduct = 1L << 30;

    private static readonly Dictionary<string, Func<double, double>> OfOne = new(StringComparer.Ordinal)
    {
        ["Neg"] = static x => -x,
        ["Abs"] = Math.Abs,
        ["Sqrt"] = Math.Sqrt,
        ["Reciprocal"] = static x => 1 / x,
        ["Exp"] = Math.Exp,
        ["Log"] = Math.Log,
        ["Tanh"] = Math.Tanh,
        ["Sigmoid"] = static x => 1 / (1 + Math.Exp(-x)),
        ["Softplus"] = static x => Math.Max(x, 0) + Math.Log(1 + Math.Exp(-Math.Abs(x))),
        ["Relu"] = static x => Math.Max(x, 0),
        ["Sign"] = static x => double.IsNaN(x) ? x : Math.Sign(x),
        ["Floor"] = Math.Floor,
        ["Ceil"] = Math.Ceiling,
    };

    private static readonly Dictionary<string, Func<double, double, double>> OfTwo = new(StringComparer.Ordinal)
    {
        ["Add"] = static (a, b) => a + b,
        ["Sub"] = static (a, b) => a - b,
        ["Mul"] = static (a, b) => a * b,
        ["Div"] = static (a, b) => a / b,
        ["Pow"] = Math.Pow,
        ["Sum"] = static (a, b) => a + b,
        ["Max"] = Math.Max,
        ["Min"] = Math.Min,
    };

    private static readonly Dictionary<string, Reduction> Reductions = new(StringComparer.Ordinal)
    {
        ["ReduceSum"] = new(0, static (sum, x) => sum + x, static (sum, _) => sum),
        ["ReduceMean"] = new(0, static (sum, x) => sum + x, static (sum, count) => sum / count),
        ["ReduceL1"] = new(0, static (sum, x) => sum + Math.Abs(x), static (sum, _) => sum),
        ["ReduceL2"] = new(0, static (sum, x) => sum + (x * x), static (sum, _) => Math.Sqrt(sum)),
        ["ReduceSumSquare"] = new(0, static (sum, x) => sum + (x * x), static (sum, _) => sum),
        ["ReduceProd"] = new(1, static (product, x) => product * x, static (product, _) => product),
        ["ReduceMax"] = new(double.NegativeInfinity, Math.Max, static (largest, _) => largest),
        ["ReduceMin"] = new(double.PositiveInfinity, Math.Min, static (smallest, _) => smallest),
    };

    /// <summary>How many of a node's inputs are data, rather than axes and indices; null for an operator that is not worked out.</summary>
    public static int? DataInputs(NodeProto node) => node.OpType switch
    {
        "Concat" or "Sum" or "Max" or "Min" => int.MaxValue,
        "MatMul" => 2,
        "Slice" or "Split" or "Gather" or "Expand" or "Tile" => 1,
        "Clip" => 3,
        _ when OfOne.ContainsKey(node.OpType) || Reductions.ContainsKey(node.OpType) => 1,
        _ when OfTwo.ContainsKey(node.OpType) => 2,
        _ => null,
    };

    /// <summary>What a node makes; null where it does not fit, or what it needs besides constants is not known.</summary>
    /// <param name="node">A node with <see cref="DataInputs"/>.</param>
    /// <param name="output">Which output.</param>
    /// <param name="data">The constants that it reads.</param>
    /// <param name="graph">Knows axes and indices.</param>
    public static ConstantPlan? Plan(NodeProto node, int output, RealTensor[] data, OnnxGraph graph)
    {
        var x = data[0];
        if (OfOne.TryGetValue(node.OpType, out var one))
            return output != 0 ? null : new([.. x.Shape], () => Array.ConvertAll(x.ToArray(), value => one(value)));
        if (OfTwo.TryGetValue(node.OpType, out var two)) return Elementwise(node, data, two, graph);
        if (Reductions.TryGetValue(node.OpType, out var reduction)) return Reduce(node, x, reduction, graph);
        return node.OpType switch
        {
            "MatMul" => Product(data[0], data[1]),
            "Concat" => Concat(node, data),
            "Clip" => Clip(node, data, graph),
            "Slice" => Slice(node, x, graph),
            "Split" => Split(node, output, x, graph),
            "Gather" => Gather(node, x, graph),
            "Expand" => Expand(node, x, graph),
            "Tile" => Tile(node, x, graph),
            _ => null,
        };
    }

    /// <summary>Elements picked by a stride for each axis of the result.</summary>
    /// <param name="from">The elements to pick from.</param>
    /// <param name="shape">The shape of the result.</param>
    /// <param name="strides">How far apart neighbours along each axis lie in <paramref name="from"/>.</param>
    /// <param name="start">Where the first lies.</param>
    public static double[] Gathered(double[] from, long[] shape, long[] strides, long start = 0)
    {
        var result = new double[shape.Aggregate(1L, (product, size) => product * size)];
        var index = new long[shape.Length];
        var position = start;
        for (var i = 0; i < result.Length; i++)
        {
            result[i] = from[position];
            for (var axis = shape.Length - 1; axis >= 0; axis--)
            {
                position += strides[axis];
                if (++index[axis] < shape[axis]) break;
                position -= strides[axis] * shape[axis];
                index[axis] = 0;
            }
        }

        return result;
    }

    private static ConstantPlan? Elementwise(NodeProto node, RealTensor[] data, Func<double, double, double> combine, OnnxGraph graph)
    {
        long[] shape = [.. data[0].Shape];
        foreach (var other in data[1..])
        {
            // Before opset 7 the second operand is aligned by attributes: only what needs no aligning is worked out.
            if (graph.Opset < 8 && other.Count != 1 && !other.Shape.SequenceEqual(data[0].Shape)
                && (graph.Opset < 7 || node.OpType is "Sum" or "Max" or "Min"))
                return null;
            if (Broadcast(shape, other.Shape) is not { } both) return null;
            shape = both;
        }

        return new(shape, () =>
        {
            var result = Stretched(data[0], shape);
            foreach (var other in data[1..])
            {
                var with = Stretched(other, shape);
                for (var i = 0; i < result.Length; i++) result[i] = combine(result[i], with[i]);
            }

            return result;
        });
    }

    private static long[]? Broadcast(long[] left, IReadOnlyList<long> right)
    {
        var result = new long[Math.Max(left.Length, right.Count)];
        for (var i = 1; i <= result.Length; i++)
        {
            var a = i <= left.Length ? left[^i] : 1;
            var b = i <= right.Count ? right[^i] : 1;
            if (a != b && a != 1 && b != 1) return null;
            result[^i] = a == 1 ? b : a;
        }

        return result;
    }

    private static double[] Stretched(RealTensor tensor, long[] shape)
    {
        if (tensor.Shape.SequenceEqual(shape)) return tensor.ToArray();
        var strides = new long[shape.Length];
        for (var axis = 0; axis < tensor.Rank; axis++)
            if (tensor.Shape[axis] != 1) strides[axis + shape.Length - tensor.Rank] = tensor.Product(axis + 1, tensor.Rank);
        return Gathered(tensor.ToArray(), shape, strides);
    }

    private static ConstantPlan? Clip(NodeProto node, RealTensor[] data, OnnxGraph graph)
    {
        // With one bound given it is not known here which; before opset 11 both are attributes.
        var (low, high) = (double.NegativeInfinity, double.PositiveInfinity);
        if (graph.Opset < 11)
        {
            (low, high) = (node.Real("min", float.NegativeInfinity), node.Real("max", float.PositiveInfinity));
        }
        else
        {
            var given = 1;
            if (data.Skip(1).Any(bound => bound.Count != 1)) return null;
            if (node.InputAt(1).Length > 0) low = data[given++].ToArray()[0];
            if (node.InputAt(2).Length > 0) high = data[given].ToArray()[0];
        }

        return new([.. data[0].Shape], () => Array.ConvertAll(data[0].ToArray(), value => Math.Min(Math.Max(value, low), high)));
    }

    private static ConstantPlan? Reduce(NodeProto node, RealTensor x, Reduction reduction, OnnxGraph graph)
    {
        var given = node.InputAt(1).Length > 0 ? graph.Integers(node.InputAt(1)) : [.. node.Integers("axes") ?? []];
        if (given is null || (given.Length == 0 && node.Integer("noop_with_empty_axes", 0) != 0)) return null;
        var reduced = given.Length == 0
            ? [.. Enumerable.Range(0, x.Rank)]
            : given.Select(axis => (int)(axis < 0 ? axis + x.Rank : axis)).ToHashSet();
        if (reduced.Any(axis => axis < 0 || axis >= x.Rank)) return null;
        var keep = node.Integer("keepdims", 1) != 0;
        long[] shape =
        [
            .. x.Shape.Select((size, axis) => reduced.Contains(axis) ? 1 : size).Where((_, axis) => keep || !reduced.Contains(axis)),
        ];
        return new(shape, () =>
        {
            // Where each element goes: strides of the result, 0 along what is reduced.
            var (strides, stride) = (new long[x.Rank], 1L);
            for (var axis = x.Rank - 1; axis >= 0; axis--)
            {
                if (reduced.Contains(axis)) continue;
                strides[axis] = stride;
                stride *= x.Shape[axis];
            }

            var (values, result, index) = (x.ToArray(), new double[stride], new long[x.Rank]);
            Array.Fill(result, reduction.Start);
            long target = 0;
            foreach (var value in values)
            {
                result[target] = reduction.Take(result[target], value);
                for (var axis = x.Rank - 1; axis >= 0; axis--)
                {
                    target += strides[axis];
                    if (++index[axis] < x.Shape[axis]) break;
                    target -= strides[axis] * x.Shape[axis];
                    index[axis] = 0;
                }
            }

            var count = result.Length == 0 ? 0 : values.Length / result.Length;
            return Array.ConvertAll(result, value => reduction.End(value, count));
        });
    }

    private static ConstantPlan? Product(RealTensor a, RealTensor b)
    {
        // Vectors and matrices; stacks of matrices are not worked out.
        if (a.Rank is < 1 or > 2 || b.Rank is < 1 or > 2) return null;
        var (rows, inner, columns) = (a.Rank == 1 ? 1 : a.Shape[0], a.Shape[^1], b.Rank == 1 ? 1 : b.Shape[1]);
        if (b.Shape[0] != inner || (Int128)rows * inner * columns > LargestProduct) return null;
        long[] shape = [.. a.Rank == 1 ? Array.Empty<long>() : [rows], .. b.Rank == 1 ? Array.Empty<long>() : [columns]];
        return new(shape, () =>
        {
            var (left, right, result) = (a.ToArray(), b.ToArray(), new double[rows * columns]);
            for (var i = 0; i < rows; i++)
            {
                for (var k = 0; k < inner; k++)
                {
                    for (var j = 0; j < columns; j++) result[(i * columns) + j] += left[(i * inner) + k] * right[(k * columns) + j];
                }
            }

            return result;
        }, rows * inner * columns);
    }

    private static ConstantPlan? Concat(NodeProto node, RealTensor[] data)
    {
        var axis = (int)node.Integer("axis", 1);
        if (axis < 0) axis += data[0].Rank;
        if (axis < 0 || axis >= data[0].Rank) return null;
        long[] shape = [.. data[0].Shape];
        shape[axis] = 0;
        foreach (var part in data)
        {
            if (part.Rank != shape.Length) return null;
            for (var i = 0; i < shape.Length; i++) if (i != axis && part.Shape[i] != shape[i]) return null;
            shape[axis] += part.Shape[axis];
        }

        return new(shape, () =>
        {
            var outer = data[0].Product(0, axis);
            var parts = data.Select(part => (Values: part.ToArray(), Run: (int)part.Product(axis, part.Rank))).ToArray();
            var result = new double[parts.Sum(part => part.Values.Length)];
            var done = 0;
            for (var row = 0; row < outer; row++)
            {
                foreach (var (values, run) in parts)
                {
                    Array.Copy(values, row * run, result, done, run);
                    done += run;
                }
            }

            return result;
        });
    }

    private static ConstantPlan? Slice(NodeProto node, RealTensor x, OnnxGraph graph)
    {
        if (AxisRange.OfSlice(node, graph, x.Rank) is not { } ranges) return null;
        long[] shape = [.. x.Shape];
        var strides = Enumerable.Range(0, x.Rank).Select(axis => x.Product(axis + 1, x.Rank)).ToArray();
        long start = 0;
        foreach (var range in ranges)
        {
            var (first, count) = range.Within(shape[range.Axis]);
            start += first * strides[range.Axis];
            shape[range.Axis] = count;
            strides[range.Axis] *= range.Step;
        }

        return new(shape, () => Gathered(x.ToArray(), shape, strides, start));
    }

    private static ConstantPlan? Split(NodeProto node, int output, RealTensor x, OnnxGraph graph)
    {
        var axis = (int)node.Integer("axis", 0);
        if (axis < 0) axis += x.Rank;
        if (axis < 0 || axis >= x.Rank || AxisRange.SizesOfSplit(node, graph, x.Shape[axis]) is not { } sizes) return null;
        long[] shape = [.. x.Shape];
        shape[axis] = sizes[output];
        var strides = Enumerable.Range(0, x.Rank).Select(i => x.Product(i + 1, x.Rank)).ToArray();
        return new(shape, () => Gathered(x.ToArray(), shape, strides, sizes.Take(output).Sum() * strides[axis]));
    }

    private static ConstantPlan? Gather(NodeProto node, RealTensor x, OnnxGraph graph)
    {
        var axis = (int)node.Integer("axis", 0);
        if (axis < 0) axis += x.Rank;
        if (axis < 0 || axis >= x.Rank) return null;
        if (graph.Integers(node.InputAt(1)) is not { } picks || graph.Shape(node.InputAt(1)) is not { } indices) return null;
        var size = x.Shape[axis];
        if (picks.Any(pick => pick < -size || pick >= size)) return null;
        long[] shape = [.. x.Shape.Take(axis), .. indices.Rank == 0 ? [] : new[] { (long)picks.Length }, .. x.Shape.Skip(axis + 1)];
        return new(shape, () =>
        {
            var (outer, inner) = (x.Product(0, axis), (int)x.Product(axis + 1, x.Rank));
            var (from, result) = (x.ToArray(), new double[outer * picks.Length * inner]);
            for (var row = 0; row < outer; row++)
            {
                for (var i = 0; i < picks.Length; i++)
                {
                    var pick = picks[i] < 0 ? picks[i] + size : picks[i];
                    Array.Copy(from, ((row * size) + pick) * inner, result, ((row * picks.Length) + i) * inner, inner);
                }
            }

            return result;
        });
    }

    private static ConstantPlan? Expand(NodeProto node, RealTensor x, OnnxGraph graph) =>
        graph.Integers(node.InputAt(1)) is { } wanted && Broadcast([.. x.Shape], wanted) is { } shape
            ? new(shape, () => Stretched(x, shape))
            : null;

    private static ConstantPlan? Tile(NodeProto node, RealTensor x, OnnxGraph graph)
    {
        if (graph.Opset < 6 || graph.Integers(node.InputAt(1)) is not { } times || times.Length != x.Rank) return null;
        if (times.Any(count => count is < 0 or > int.MaxValue)) return null;
        long[] shape = [.. x.Shape.Select((size, axis) => size * times[axis])];
        return new(shape, () =>
        {
            var (from, result, index) = (x.ToArray(), new double[shape.Aggregate(1L, (product, size) => product * size)], new long[x.Rank]);
            for (var i = 0; i < result.Length; i++)
            {
                long position = 0;
                for (var axis = 0; axis < x.Rank; axis++) position = (position * x.Shape[axis]) + (index[axis] % x.Shape[axis]);
                result[i] = from[position];
                for (var axis = x.Rank - 1; axis >= 0 && ++index[axis] == shape[axis]; axis--) index[axis] = 0;
            }

            return result;
        });
    }

    private sealed record Reduction(double Start, Func<double, double, double> Take, Func<double, long, double> End);
}
