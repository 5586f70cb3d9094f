using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Tests.Folding;

/// <summary>
/// Runs a model in float64, operator by operator, each written down from the ONNX specification in the plainest form: every element of the
/// result is computed from its index. It shares nothing with the folder, and is itself held to the ONNX test data.
/// </summary>
internal sealed class ReferenceEvaluator
{
    private readonly Dictionary<string, Tensor> _values = new(StringComparer.Ordinal);

    private static Dictionary<string, Func<double, double>> Functions { get; } = new(StringComparer.Ordinal)
    {
        ["Relu"] = x => x > 0 ? x : 0,
        ["Tanh"] = Math.Tanh,
        ["Sigmoid"] = x => 1 / (1 + Math.Exp(-x)),
        ["Neg"] = x => -x,
        ["Abs"] = Math.Abs,
        ["Sqrt"] = Math.Sqrt,
        ["Reciprocal"] = x => 1 / x,
        ["Exp"] = Math.Exp,
    };

    /// <summary>Operators that are known.</summary>
    public static IReadOnlySet<string> Operators { get; } = new HashSet<string>(
        [
            .. Functions.Keys, "Add", "AveragePool", "BatchNormalization", "Clip", "Concat", "Constant", "Conv", "ConvTranspose",
            "DepthToSpace", "Div", "Einsum", "Expand", "Flatten", "Gather", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "Identity",
            "LeakyRelu", "MatMul", "Max", "MaxPool", "Min", "Mul", "PRelu", "Pad", "Pow", "ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean",
            "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Reshape", "Resize", "Slice", "SpaceToDepth", "Split", "Squeeze",
            "Sub", "Sum", "Tile", "Transpose", "Unsqueeze",
        ],
        StringComparer.Ordinal);

    /// <summary>The outputs of a model.</summary>
    public static IReadOnlyDictionary<string, Tensor> Run(ModelProto model, IReadOnlyDictionary<string, Tensor> inputs)
    {
        var run = new ReferenceEvaluator();
        foreach (var tensor in model.Graph.Initializer) run._values[tensor.Name] = Tensor.Of(tensor);
        foreach (var (name, value) in inputs) run._values[name] = value;
        foreach (var node in model.Graph.Node)
        {
            var results = run.Evaluate(node);
            for (var i = 0; i < node.Output.Count && i < results.Length; i++) run._values[node.Output[i]] = results[i];
        }

        return model.Graph.Output.ToDictionary(output => output.Name, output => run._values[output.Name]);
    }

    private Tensor[] Evaluate(NodeProto node)
    {
        Tensor In(int i) => _values[node.Input[i]];
        bool Has(int i) => node.InputAt(i).Length > 0;
        var x = node.Input.Count > 0 && Has(0) ? In(0) : new Tensor([], [0]);
        long[] Axes(int input)
        {
            var given = node.Integers("axes") ?? (Has(input) ? In(input).Integers : []);
            if (given.Count == 0 && node.Integer("noop_with_empty_axes", 0) == 0)
                given = [.. Enumerable.Range(0, x.Rank).Select(axis => (long)axis)];
            return [.. given.Select(axis => axis < 0 ? axis + x.Rank : axis)];
        }

        int Axis(long otherwise, int rank) => (int)(node.Integer("axis", otherwise) is var axis && axis < 0 ? axis + rank : axis);
        if (Functions.TryGetValue(node.OpType, out var function)) return [Tensor.From(x.Shape, i => function(x[i]))];
        switch (node.OpType)
        {
            case "Identity":
                return [x];
            case "Constant":
                return [Tensor.Of(node.Attribute("value")!.T)];
            case "Add" or "Sum":
                return [node.Input.Skip(1).Aggregate(x, (sum, name) => Tensor.Join(sum, _values[name], (a, b) => a + b))];
            case "Sub":
                return [Tensor.Join(x, In(1), (a, b) => a - b)];
            case "Mul":
                return [Tensor.Join(x, In(1), (a, b) => a * b)];
            case "Div":
                return [Tensor.Join(x, In(1), (a, b) => a / b)];
            case "Pow":
                return [Tensor.Join(x, In(1), Math.Pow)];
            case "Max":
                return [node.Input.Skip(1).Aggregate(x, (most, name) => Tensor.Join(most, _values[name], Math.Max))];
            case "Min":
                return [node.Input.Skip(1).Aggregate(x, (least, name) => Tensor.Join(least, _values[name], Math.Min))];
            case "PRelu":
                return [Tensor.Join(x, In(1), (a, slope) => a < 0 ? slope * a : a)];
            case "LeakyRelu":
                double alpha = node.Real("alpha", 0.01f);
                return [Tensor.From(x.Shape, i => x[i] < 0 ? alpha * x[i] : x[i])];
            case "Clip":
                var low = Has(1) ? In(1).Data[0] : double.NegativeInfinity;
                var high = Has(2) ? In(2).Data[0] : double.PositiveInfinity;
                return [Tensor.From(x.Shape, i => Math.Min(high, Math.Max(low, x[i])))];
            case "BatchNormalization":
                double epsilon = node.Real("epsilon", 1e-5f);
                var (gamma, beta, mean, variance) = (In(1).Data, In(2).Data, In(3).Data, In(4).Data);
                return [Tensor.From(x.Shape, i => (gamma[i[1]] * (x[i] - mean[i[1]]) / Math.Sqrt(variance[i[1]] + epsilon)) + beta[i[1]])];
            case "Conv":
                return [Conv(node, x, In(1), Has(2) ? In(2) : null)];
            case "ConvTranspose":
                return [ConvTranspose(node, x, In(1), Has(2) ? In(2) : null)];
            case "Gemm":
                return [Gemm(node, x, In(1), Has(2) ? In(2) : null)];
            case "MatMul":
                return [MatMul(x, In(1))];
            case "Einsum":
                return [Einsum(node.Text("equation", string.Empty), [.. node.Input.Select(name => _values[name])])];
            case "MaxPool" or "AveragePool":
                return [Pool(node, x)];
            case "GlobalAveragePool" or "GlobalMaxPool":
                var all = Enumerable.Range(2, x.Rank - 2).Select(axis => (long)axis).ToArray();
                return [Reduce(node.OpType == "GlobalMaxPool" ? "ReduceMax" : "ReduceMean", x, all, true)];
            case "Reshape":
                return [Reshape(x, In(1).Integers, node.Integer("allowzero", 0) != 0)];
            case "Flatten":
                var at = Axis(1, x.Rank);
                return [new Tensor([x.Shape[..at].Aggregate(1, (a, b) => a * b), x.Shape[at..].Aggregate(1, (a, b) => a * b)], x.Data)];
            case "Squeeze":
                var gone = Axes(1);
                if (node.Integers("axes") is null && !Has(1)) gone = [.. gone.Where(axis => x.Shape[axis] == 1)];
                return [new Tensor([.. x.Shape.Where((_, axis) => !gone.Contains(axis))], x.Data)];
            case "Unsqueeze":
                var rank = x.Rank + (node.Integers("axes")?.Count ?? In(1).Data.Length);
                var added = (node.Integers("axes") ?? In(1).Integers).Select(axis => axis < 0 ? axis + rank : axis).ToHashSet();
                var left = new Queue<int>(x.Shape);
                return [new Tensor([.. Enumerable.Range(0, rank).Select(axis => added.Contains(axis) ? 1 : left.Dequeue())], x.Data)];
            case "Transpose":
                int[] perm = node.Integers("perm") is { } given
                    ? [.. given.Select(axis => (int)axis)]
                    : [.. Enumerable.Range(0, x.Rank).Reverse()];
                return [Tensor.From([.. perm.Select(axis => x.Shape[axis])], i => x[Place(perm, i)])];
            case "Concat":
                return [Concat([.. node.Input.Select(name => _values[name])], Axis(1, x.Rank))];
            case "Split":
                return Split(node, x, Axis(0, x.Rank), Has(1) ? In(1).Integers : node.Integers("split"));
            case "Slice":
                return [Slice(x, In(1).Integers, In(2).Integers, Has(3) ? In(3).Integers : null, Has(4) ? In(4).Integers : null)];
            case "Gather":
                return [Gather(x, In(1), Axis(0, x.Rank))];
            case "Expand":
                return [Tensor.Join(x, Tensor.From([.. In(1).Integers.Select(size => (int)size)], _ => 0), (a, _) => a)];
            case "Tile":
                var times = In(1).Integers;
                return
                [
                    Tensor.From(
                        [.. x.Shape.Select((size, axis) => size * (int)times[axis])],
                        i => x[[.. i.Select((j, axis) => j % x.Shape[axis])]]),
                ];
            case "Pad":
                return [Pad(node, x, In(1).Integers, Has(2) ? In(2).Data[0] : 0)];
            case "DepthToSpace":
                return [DepthToSpace(x, (int)node.Integer("blocksize", 0), node.Text("mode", "DCR") == "CRD")];
            case "SpaceToDepth":
                return [SpaceToDepth(x, (int)node.Integer("blocksize", 0))];
            case "Resize":
                return [Resize(node, x, Has(2) ? In(2).Data : [])];
            default:
                if (!node.OpType.StartsWith("Reduce", StringComparison.Ordinal)) throw new NotSupportedException(node.OpType);
                return [Reduce(node.OpType, x, Axes(1), node.Integer("keepdims", 1) != 0)];
        }
    }

    private static int[] Place(int[] perm, int[] index)
    {
        var result = new int[index.Length];
        for (var axis = 0; axis < perm.Length; axis++) result[perm[axis]] = index[axis];
        return result;
    }

    private static Tensor Conv(NodeProto node, Tensor x, Tensor w, Tensor? bias)
    {
        if (node.Text("auto_pad", "NOTSET") != "NOTSET") throw new NotSupportedException("Conv");
        var (group, spatial) = ((int)node.Integer("group", 1), x.Rank - 2);
        var (strides, dilations) = (node.Integers("strides"), node.Integers("dilations"));
        var pads = node.Integers("pads");
        int At(IReadOnlyList<long>? list, int i, int otherwise) => list is null ? otherwise : (int)list[i];
        int[] shape =
        [
            x.Shape[0], w.Shape[0],
            .. Enumerable.Range(0, spatial).Select(d =>
                ((x.Shape[d + 2] + At(pads, d, 0) + At(pads, d + spatial, 0) - ((w.Shape[d + 2] - 1) * At(dilations, d, 1)) - 1)
                    / At(strides, d, 1)) + 1),
        ];
        var perGroup = w.Shape[0] / group;
        return Tensor.From(shape, o =>
        {
            var sum = bias?.Data[o[1]] ?? 0;
            foreach (var k in Tensor.Indices([.. w.Shape[1..]]))
            {
                var at = new int[x.Rank];
                (at[0], at[1]) = (o[0], (o[1] / perGroup * w.Shape[1]) + k[0]);
                var inside = true;
                for (var d = 0; d < spatial; d++)
                {
                    at[d + 2] = (o[d + 2] * At(strides, d, 1)) + (k[d + 1] * At(dilations, d, 1)) - At(pads, d, 0);
                    inside &= at[d + 2] >= 0 && at[d + 2] < x.Shape[d + 2];
                }

                if (inside) sum += x[at] * w[[o[1], .. k]];
            }

            return sum;
        });
    }

    // Stride 1, no padding: each element spreads over a window.
    private static Tensor ConvTranspose(NodeProto node, Tensor x, Tensor w, Tensor? bias)
    {
        if (node.Attribute.Any(attribute => attribute.Name is not ("group" or "kernel_shape")))
            throw new NotSupportedException("ConvTranspose");
        var group = (int)node.Integer("group", 1);
        int[] shape = [x.Shape[0], w.Shape[1] * group, .. Enumerable.Range(2, x.Rank - 2).Select(d => x.Shape[d] + w.Shape[d] - 1)];
        var result = Tensor.From(shape, i => bias?.Data[i[1]] ?? 0);
        foreach (var i in Tensor.Indices(x.Shape))
        {
            var own = i[1] / (x.Shape[1] / group);
            foreach (var k in Tensor.Indices([.. w.Shape[1..]]))
            {
                int[] o = [i[0], (own * w.Shape[1]) + k[0], .. Enumerable.Range(2, x.Rank - 2).Select(d => i[d] + k[d - 1])];
                result.Data[result.Offset(o)] += x[i] * w[[i[1], .. k]];
            }
        }

        return result;
    }

    private static Tensor Gemm(NodeProto node, Tensor a, Tensor b, Tensor? c)
    {
        double alpha = node.Real("alpha", 1), beta = node.Real("beta", 1);
        if (node.Integer("transA", 0) != 0) a = Tensor.From([a.Shape[1], a.Shape[0]], i => a[[i[1], i[0]]]);
        var right = node.Integer("transB", 0) != 0 ? Tensor.From([b.Shape[1], b.Shape[0]], i => b[[i[1], i[0]]]) : b;
        var product = MatMul(a, right);
        var scaled = Tensor.From(product.Shape, i => alpha * product[i]);
        return c is null || beta == 0 ? scaled : Tensor.Join(scaled, c, (p, s) => p + (beta * s));
    }

    private static Tensor MatMul(Tensor a, Tensor b)
    {
        if (a.Rank == 1) return DropAxis(MatMul(new Tensor([1, a.Shape[0]], a.Data), b), fromEnd: b.Rank == 1 ? 1 : 2);
        if (b.Rank == 1) return DropAxis(MatMul(a, new Tensor([b.Shape[0], 1], b.Data)), fromEnd: 1);
        var rank = Math.Max(a.Rank, b.Rank) - 2;
        int Batch(Tensor t, int axis) => axis - (rank - (t.Rank - 2)) is >= 0 and var own ? t.Shape[own] : 1;
        int[] shape = [.. Enumerable.Range(0, rank).Select(axis => Math.Max(Batch(a, axis), Batch(b, axis))), a.Shape[^2], b.Shape[^1]];
        int[] Own(Tensor t, int[] o, int row, int column) =>
        [
            .. Enumerable.Range(rank - (t.Rank - 2), t.Rank - 2).Select(axis => Batch(t, axis) == 1 ? 0 : o[axis]), row, column,
        ];
        return Tensor.From(shape, o => Enumerable.Range(0, a.Shape[^1]).Sum(k => a[Own(a, o, o[^2], k)] * b[Own(b, o, k, o[^1])]));
    }

    private static Tensor DropAxis(Tensor t, int fromEnd) => new([.. t.Shape.Where((_, axis) => axis != t.Rank - fromEnd)], t.Data);

    private static Tensor Einsum(string equation, Tensor[] operands)
    {
        if (equation.Contains('.', StringComparison.Ordinal)) throw new NotSupportedException("Einsum");
        var sides = equation.Replace(" ", string.Empty, StringComparison.Ordinal).Split("->");
        var terms = sides[0].Split(',');
        var output = sides.Length > 1
            ? sides[1]
            : string.Concat(sides[0].Where(char.IsLetter).GroupBy(c => c).Where(g => g.Count() == 1).Select(g => g.Key).Order());
        var sizes = new Dictionary<char, int>();
        foreach (var (term, operand) in terms.Zip(operands))
            for (var axis = 0; axis < term.Length; axis++) sizes[term[axis]] = operand.Shape[axis];
        var summed = sizes.Keys.Where(label => !output.Contains(label, StringComparison.Ordinal)).ToArray();
        return Tensor.From([.. output.Select(label => sizes[label])], o =>
        {
            var sum = 0.0;
            foreach (var s in Tensor.Indices([.. summed.Select(label => sizes[label])]))
            {
                int Of(char label) =>
                    output.IndexOf(label, StringComparison.Ordinal) is >= 0 and var place ? o[place] : s[Array.IndexOf(summed, label)];
                var product = 1.0;
                for (var t = 0; t < terms.Length; t++) product *= operands[t][[.. terms[t].Select(Of)]];
                sum += product;
            }

            return sum;
        });
    }

    private static Tensor Pool(NodeProto node, Tensor x)
    {
        var kernel = node.Integers("kernel_shape")!.Select(size => (int)size).ToArray();
        var (strides, pads, spatial) = (node.Integers("strides"), node.Integers("pads"), kernel.Length);
        if (node.Text("auto_pad", "NOTSET") != "NOTSET" || node.Integer("ceil_mode", 0) != 0 || node.Integers("dilations") is not null)
            throw new NotSupportedException(node.OpType);
        int Stride(int d) => strides is null ? 1 : (int)strides[d];
        int Pad(int d) => pads is null ? 0 : (int)pads[d];
        int[] shape =
        [
            .. x.Shape[..2],
            .. kernel.Select((size, d) => ((x.Shape[d + 2] + Pad(d) + Pad(d + spatial) - size) / Stride(d)) + 1),
        ];
        var counts = node.Integer("count_include_pad", 0) != 0;
        return Tensor.From(shape, o =>
        {
            var (sum, most, count) = (0.0, double.NegativeInfinity, 0);
            foreach (var k in Tensor.Indices(kernel))
            {
                int[] at = [o[0], o[1], .. k.Select((offset, d) => (o[d + 2] * Stride(d)) + offset - Pad(d))];
                if (Enumerable.Range(2, spatial).Any(d => at[d] < 0 || at[d] >= x.Shape[d])) continue;
                (sum, most, count) = (sum + x[at], Math.Max(most, x[at]), count + 1);
            }

            return node.OpType == "MaxPool" ? most : sum / (counts ? kernel.Aggregate(1, (a, b) => a * b) : count);
        });
    }

    private static Tensor Reduce(string opType, Tensor x, long[] axes, bool keep)
    {
        var kept = Tensor.From([.. x.Shape.Select((size, axis) => axes.Contains(axis) ? 1 : size)], o =>
        {
            var window = Tensor.Indices([.. x.Shape.Select((size, axis) => axes.Contains(axis) ? size : 1)])
                .Select(i => x[[.. i.Zip(o, (a, b) => a + b)]]).ToArray();
            return opType switch
            {
                "ReduceSum" => window.Sum(),
                "ReduceMean" => window.Sum() / window.Length,
                "ReduceMax" => window.Max(),
                "ReduceMin" => window.Min(),
                "ReduceL1" => window.Sum(Math.Abs),
                "ReduceL2" => Math.Sqrt(window.Sum(value => value * value)),
                "ReduceSumSquare" => window.Sum(value => value * value),
                "ReduceProd" => window.Aggregate(1.0, (a, b) => a * b),
                _ => throw new NotSupportedException(opType),
            };
        });
        return keep ? kept : new Tensor([.. kept.Shape.Where((_, axis) => !axes.Contains(axis))], kept.Data);
    }

    private static Tensor Reshape(Tensor x, long[] wanted, bool keepZero)
    {
        var shape = wanted.Select((size, axis) => size == 0 && !keepZero ? x.Shape[axis] : (int)size).ToArray();
        var free = Array.IndexOf(shape, -1);
        if (free >= 0) shape[free] = x.Data.Length / shape.Where(size => size != -1).Aggregate(1, (a, b) => a * b);
        return new Tensor(shape, x.Data);
    }

    private static Tensor Concat(Tensor[] parts, int axis)
    {
        var shape = parts[0].Shape.ToArray();
        shape[axis] = parts.Sum(part => part.Shape[axis]);
        return Tensor.From(shape, o =>
        {
            var i = o.ToArray();
            foreach (var part in parts)
            {
                if (i[axis] < part.Shape[axis]) return part[i];
                i[axis] -= part.Shape[axis];
            }

            throw new InvalidOperationException();
        });
    }

    private static Tensor[] Split(NodeProto node, Tensor x, int axis, IReadOnlyList<long>? sizes)
    {
        sizes ??= [.. Enumerable.Repeat((long)x.Shape[axis] / node.Output.Count, node.Output.Count)];
        var (start, result) = (0, new List<Tensor>());
        foreach (var size in sizes)
        {
            var from = start;
            int[] shape = [.. x.Shape];
            shape[axis] = (int)size;
            result.Add(Tensor.From(shape, o => x[[.. o.Select((j, a) => a == axis ? j + from : j)]]));
            start += (int)size;
        }

        return [.. result];
    }

    private static Tensor Slice(Tensor x, long[] starts, long[] ends, long[]? axes, long[]? steps)
    {
        var (first, step, shape) = (new long[x.Rank], Enumerable.Repeat(1L, x.Rank).ToArray(), x.Shape.ToArray());
        for (var i = 0; i < starts.Length; i++)
        {
            var axis = (int)(axes is null ? i : axes[i] < 0 ? axes[i] + x.Rank : axes[i]);
            var (size, by) = ((long)x.Shape[axis], steps?[i] ?? 1);
            long Bound(long value, long least, long most) => Math.Clamp(value < 0 ? Math.Max(value, -size - 1) + size : value, least, most);
            var (from, to) = by > 0
                ? (Bound(starts[i], 0, size), Bound(ends[i], 0, size))
                : (Bound(starts[i], 0, size - 1), Bound(ends[i], -1, size - 1));
            (first[axis], step[axis]) = (from, by);
            shape[axis] = (int)Math.Max(0, Math.Ceiling((to - from) / (double)by));
        }

        return Tensor.From(shape, o => x[[.. o.Select((j, axis) => (int)(first[axis] + (j * step[axis])))]]);
    }

    private static Tensor Gather(Tensor x, Tensor indices, int axis)
    {
        int[] shape = [.. x.Shape[..axis], .. indices.Shape, .. x.Shape[(axis + 1)..]];
        return Tensor.From(shape, o =>
        {
            var pick = (int)indices[o[axis..(axis + indices.Rank)]];
            return x[[.. o[..axis], pick < 0 ? pick + x.Shape[axis] : pick, .. o[(axis + indices.Rank)..]]];
        });
    }

    private static Tensor Pad(NodeProto node, Tensor x, long[] pads, double constant)
    {
        var mode = node.Text("mode", "constant");
        int[] shape = [.. x.Shape.Select((size, axis) => size + (int)pads[axis] + (int)pads[axis + x.Rank])];
        return Tensor.From(shape, o =>
        {
            var at = new int[x.Rank];
            for (var axis = 0; axis < x.Rank; axis++)
            {
                var (i, size) = (o[axis] - (int)pads[axis], x.Shape[axis]);
                if (i < 0 || i >= size)
                {
                    if (mode == "constant") return constant;
                    if (mode == "edge") i = Math.Clamp(i, 0, size - 1);
                    else i = i < 0 ? -i : (2 * (size - 1)) - i;
                }

                at[axis] = i;
            }

            return x[at];
        });
    }

    private static Tensor DepthToSpace(Tensor x, int b, bool columnsFirst)
    {
        var c = x.Shape[1] / (b * b);
        return Tensor.From([x.Shape[0], c, x.Shape[2] * b, x.Shape[3] * b], o =>
        {
            var block = ((o[2] % b) * b) + (o[3] % b);
            return x[[o[0], columnsFirst ? (o[1] * b * b) + block : (block * c) + o[1], o[2] / b, o[3] / b]];
        });
    }

    private static Tensor SpaceToDepth(Tensor x, int b) => Tensor.From(
        [x.Shape[0], x.Shape[1] * b * b, x.Shape[2] / b, x.Shape[3] / b], o =>
        {
            var (block, c) = (o[1] / x.Shape[1], o[1] % x.Shape[1]);
            return x[[o[0], c, (o[2] * b) + (block / b), (o[3] * b) + (block % b)]];
        });

    // Nearest (asymmetric, floor) and linear (half_pixel), by scales.
    private static Tensor Resize(NodeProto node, Tensor x, double[] scales)
    {
        var (mode, coordinates) = (node.Text("mode", "nearest"), node.Text("coordinate_transformation_mode", "half_pixel"));
        if ((mode, coordinates) is not (("nearest", "asymmetric") or ("linear", "half_pixel"))
            || (mode == "nearest" && node.Text("nearest_mode", "round_prefer_floor") != "floor")
            || scales.Length != x.Rank)
            throw new NotSupportedException("Resize");
        int[] shape = [.. x.Shape.Select((size, axis) => (int)Math.Floor(size * scales[axis]))];
        return Tensor.From(shape, o =>
        {
            if (mode == "nearest") return x[[.. o.Select((j, axis) => Math.Min((int)Math.Floor(j / scales[axis]), x.Shape[axis] - 1))]];
            var sum = 0.0;
            foreach (var corner in Tensor.Indices([.. o.Select(_ => 2)]))
            {
                var (weight, at) = (1.0, new int[x.Rank]);
                for (var axis = 0; axis < x.Rank; axis++)
                {
                    var place = ((o[axis] + 0.5) / scales[axis]) - 0.5;
                    var left = (int)Math.Floor(place);
                    weight *= corner[axis] == 0 ? 1 - (place - left) : place - left;
                    at[axis] = Math.Clamp(left + corner[axis], 0, x.Shape[axis] - 1);
                }

                sum += weight * x[at];
            }

            return sum;
        });
    }

    /// <summary>A tensor of float64.</summary>
    internal sealed record Tensor(int[] Shape, double[] Data)
    {
        public int Rank => Shape.Length;

        public long[] Integers => [.. Data.Select(value => (long)value)];

        public double this[int[] index] => Data[Offset(index)];

        public static Tensor Of(TensorProto tensor) => new(
            [.. tensor.Dims.Select(size => (int)size)],
            TensorData.IsReal(tensor.DataType)
                ? TensorData.ToDoubles(tensor)
                : ElementTypes.Of((TensorProto.Types.DataType)tensor.DataType) is var type && type.Read(tensor) is var elements
                    ? type.ToDoubles(elements)
                    : throw new NotSupportedException());

        public static Tensor From(int[] shape, Func<int[], double> element) => new(shape, [.. Indices(shape).Select(element)]);

        public static Tensor Join(Tensor a, Tensor b, Func<double, double, double> combine)
        {
            var rank = Math.Max(a.Rank, b.Rank);
            int Size(Tensor t, int axis) => axis - (rank - t.Rank) is >= 0 and var own ? t.Shape[own] : 1;
            int[] shape = [.. Enumerable.Range(0, rank).Select(axis => Size(a, axis) == 1 ? Size(b, axis) : Size(a, axis))];
            double At(Tensor t, int[] i) =>
                t[[.. Enumerable.Range(rank - t.Rank, t.Rank).Select(axis => Size(t, axis) == 1 ? 0 : i[axis])]];
            return From(shape, i => combine(At(a, i), At(b, i)));
        }

        /// <summary>All indices in order; each is an array of its own.</summary>
        public static IEnumerable<int[]> Indices(int[] shape)
        {
            if (shape.Contains(0)) yield break;
            var index = new int[shape.Length];
            while (true)
            {
                yield return (int[])index.Clone();
                var axis = shape.Length - 1;
                while (axis >= 0 && ++index[axis] == shape[axis]) index[axis--] = 0;
                if (axis < 0) yield break;
            }
        }

        public int Offset(int[] index)
        {
            var offset = 0;
            for (var axis = 0; axis < index.Length; axis++) offset = (offset * Shape[axis]) + index[axis];
            return offset;
        }
    }
}
