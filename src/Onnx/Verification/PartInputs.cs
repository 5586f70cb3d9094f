using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>
/// Draws what goes into a part: normal numbers, where the statistics of the batch normalizations say that values lie. There a fold loses
/// its digits, if it does: what a mean far from zero cancels is small only near that mean.
/// </summary>
internal sealed class PartInputs
{
    private const int LargestExtent = 64;

    // Above this many weights a few rows will do: each row meets every weight.
    private const long ManyWeights = 1 << 22;

    private readonly ChangedPart _part;
    private readonly OnnxGraph _graph;
    private readonly Random _random = new(1);
    private readonly HashSet<string> _inputs;
    private readonly Dictionary<string, List<(NodeProto Node, int Input)>> _readers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<NodeProto>> _readersBefore = new(StringComparer.Ordinal);
    private readonly Dictionary<string, NodeProto> _firstReaders = new(StringComparer.Ordinal);
    private readonly int _rows;
    private readonly int _extent;

    public PartInputs(ChangedPart part)
    {
        (_part, _graph) = (part, part.Before.Graph);
        _inputs = part.Inputs.ToHashSet(StringComparer.Ordinal);
        foreach (var node in part.Before.Nodes.Concat(part.After.Nodes))
            for (var i = 0; i < node.Input.Count; i++)
                if (_inputs.Contains(node.Input[i])) Note(_readers, node.Input[i], (node, i));
        foreach (var node in part.Before.Nodes)
        {
            for (var i = 0; i < node.Input.Count; i++)
            {
                _firstReaders.TryAdd(node.Input[i], node);
                if (_inputs.Contains(node.Input[i])) Note(_readersBefore, node.Input[i], node);
            }
        }

        var weights = part.Before.Nodes.Concat(part.After.Nodes).Select(Weight).OfType<int[]>().ToList();
        var isSpatial = weights.Exists(shape => shape.Length > 2);
        var isLarge = weights.Sum(shape => shape.Aggregate(1L, (product, size) => product * size)) >= ManyWeights;
        _rows = isSpatial || isLarge ? 2 : 8;
        // So that two locations are left at the end.
        var extent = 2;
        foreach (var node in part.Before.Nodes.Reverse())
        {
            var kernel = node.Integers("kernel_shape") ?? (node.OpType == "Conv" && Weight(node) is { } shape
                ? [.. shape.Skip(2).Select(size => (long)size)]
                : null);
            if (kernel is not { Count: > 0 }) continue;
            var dilations = node.Integers("dilations") ?? [];
            var reach = kernel.Select((size, i) => ((size - 1) * (i < dilations.Count ? dilations[i] : 1)) + 1).Max();
            // What is padded on both sides need not be there.
            var padding = node.Text("auto_pad", "NOTSET").StartsWith("SAME", StringComparison.Ordinal)
                ? reach - 1
                : node.Integers("pads") is { Count: > 1 } pads
                    ? pads.Take(pads.Count / 2).Zip(pads.Skip(pads.Count / 2), (begin, end) => begin + end).Min()
                    : 0;
            var stride = (node.Integers("strides") ?? []).DefaultIfEmpty(1).Max();
            extent = (int)Math.Clamp(((extent - 1) * stride) + reach - padding, 2, LargestExtent);
        }

        _extent = extent;
    }

    /// <summary>
    /// Inputs of several sizes, to be tried until one fits the part: small ones first. Those that are smaller than the model declares are
    /// none that it would be given: a fold that counts on a declared size is right where they say that it is wrong.
    /// </summary>
    public IEnumerable<(IReadOnlyDictionary<string, PartTensor> Inputs, bool IsShrunk)> Candidates()
    {
        (int Extent, bool Shrinks)[] choices = [(_extent, true), (_extent, false), (8, false), (32, false), (1, false)];
        // A sum has as many terms as the model declares: what it makes of a shift depends on that.
        var isCounted = _part.Before.Nodes.Concat(_part.After.Nodes).Any(node => node.OpType is "ReduceSum" or "Einsum");
        foreach (var (extent, shrinks) in choices.Where(choice => !isCounted || !choice.Shrinks))
        {
            var symbols = new Dictionary<string, int>(StringComparer.Ordinal);
            var shapes = _part.Inputs.ToDictionary(name => name, name => Shape(name, extent, shrinks, symbols), StringComparer.Ordinal);
            // Declared sizes are anybody's claim.
            if (shapes.Values.Any(shape => shape.Aggregate((Int128)1, (product, size) => product * size) > 1 << 24)) continue;
            yield return (shapes.ToDictionary(pair => pair.Key, pair => Draw(pair.Key, pair.Value), StringComparer.Ordinal), shrinks);
        }
    }

    /// <summary>Rows of the user's, where all that goes into the part comes from outside of the model; null otherwise.</summary>
    public IReadOnlyDictionary<string, PartTensor>? From(IReadOnlyDictionary<string, HostTensor> data)
    {
        const int most = 64;
        if (_part.Inputs.Count == 0 || !_part.Inputs.All(data.ContainsKey)) return null;
        return _part.Inputs.ToDictionary(
            name => name,
            name =>
            {
                var (type, tensor) = (ElementTypes.Of(data[name].Type), data[name]);
                int[] shape = [.. tensor.Shape.Select(size => (int)size)];
                var exact = new ExactTensor(shape, type.ToDoubles(tensor.Data));
                if (shape.Length == 0 || shape[0] <= most) return PartTensor.Of(tensor.Type, exact);
                var row = exact.Product(1, shape.Length);
                return PartTensor.Of(tensor.Type, new ExactTensor([most, .. shape[1..]], exact.Data[..(most * row)]));
            },
            StringComparer.Ordinal);
    }

    private static void Note<T>(Dictionary<string, List<T>> readers, string value, T reader)
    {
        if (!readers.TryGetValue(value, out var known)) readers.Add(value, known = []);
        known.Add(reader);
    }

    // Of an input of the part.
    private List<(NodeProto Node, int Input)> Readers(string value) => _readers.GetValueOrDefault(value) ?? [];

    private List<NodeProto> ReadersBefore(string value) => _readersBefore.GetValueOrDefault(value) ?? [];

    // The shape of the weight that a linear layer multiplies with.
    private int[]? Weight(NodeProto node) => node.OpType switch
    {
        "Conv" or "ConvTranspose" or "Gemm" => Known(node.InputAt(1)),
        "MatMul" => Known(node.InputAt(1)) ?? Known(node.InputAt(0)),
        _ => null,
    };

    private int[]? Known(string value)
    {
        if ((_part.After.Constant(value) ?? _part.Before.Constant(value)) is { } stored) return [.. stored.Dims.Select(size => (int)size)];
        return !_inputs.Contains(value) && _graph.Shape(value) is { } shape && shape.Dimensions.All(size => size.Size is not null)
            ? [.. shape.Dimensions.Select(size => (int)size.Size!.Value)]
            : null;
    }

    private int[] Shape(string value, int extent, bool shrinks, Dictionary<string, int> symbols)
    {
        var demands = Readers(value).Select(use => Demand(use.Node, use.Input)).OfType<(int Rank, int Axis, int Size)>().ToList();
        var declared = _graph.Shape(value);
        var rank = declared?.Rank ?? (demands.Count > 0 ? demands.Max(demand => demand.Rank) : 2);
        var shape = new int[rank];
        for (var axis = 0; axis < rank; axis++)
        {
            var size = declared?[axis] ?? TensorDimension.Unknown;
            // Rows as well, where no number of them has sufficed.
            var other = axis == 0 ? Math.Max(_rows, extent > _extent ? extent : 0) : extent;
            if (demands.FindIndex(demand => demand.Rank <= rank && (demand.Axis < 0 ? demand.Axis + rank : demand.Axis) == axis)
                is >= 0 and var found)
                shape[axis] = demands[found].Size;
            else if (size.Symbol is { } symbol) shape[axis] = symbols.TryGetValue(symbol, out var same) ? same : symbols[symbol] = other;
            else if (size.Size is not { } number) shape[axis] = other;
            else shape[axis] = (int)Math.Min(number, shrinks && (axis == 0 || axis > 1) ? other : int.MaxValue);
        }

        return shape;
    }

    // How long an axis must be for a reader; axes below 0 are counted from the end.
    private (int Rank, int Axis, int Size)? Demand(NodeProto node, int input)
    {
        var weight = Weight(node);
        return (node.OpType, input) switch
        {
            ("Conv", 0) when weight is not null => (weight.Length, 1, weight[1] * (int)node.Integer("group", 1)),
            ("ConvTranspose", 0) when weight is not null => (weight.Length, 1, weight[0]),
            ("Gemm", 0) when weight is not null =>
                (2, node.Integer("transA", 0) != 0 ? 0 : 1, weight[node.Integer("transB", 0) != 0 ? 1 : 0]),
            ("MatMul", 0) when weight is { Length: > 1 } => (2, -1, weight[^2]),
            ("MatMul", 1) when weight is { Length: > 1 } => (2, -2, weight[^1]),
            ("BatchNormalization", 0) when Known(node.InputAt(1)) is [var channels] => (2, 1, channels),
            _ => null,
        };
    }

    private PartTensor Draw(string value, int[] shape)
    {
        var type = TypeOf(value);
        var tensor = new ExactTensor(shape, new double[shape.Aggregate(1, (product, size) => product * size)]);
        if (!TensorData.IsReal((int)type))
        {
            for (var i = 0; i < tensor.Count; i++) tensor.Data[i] = _random.Next(2);
            return PartTensor.Of(type, tensor);
        }

        var (centre, spread) = Statistics(value);
        var inner = tensor.Product(Math.Min(2, tensor.Rank), tensor.Rank);
        for (var i = 0; i < tensor.Count; i++)
        {
            tensor.Data[i] = Normal();
            if (centre is null || spread is null || tensor.Rank < 2 || shape[1] != centre.Length) continue;
            var channel = i / inner % shape[1];
            tensor.Data[i] = centre[channel] + (spread[spread.Length == 1 ? 0 : channel] * tensor.Data[i]);
        }

        // What comes from the model's own types has no more digits than they.
        return PartTensor.Of(type, new ExactTensor(shape, PartTensor.Round(type, tensor.Data)));
    }

    // Where the channels of a value lie, as far as a batch normalization tells: one that reads it, or that reads what a layer makes of it.
    private (double[]? Centre, double[]? Spread) Statistics(string value)
    {
        if (Target(value) is { } own) return own;
        foreach (var layer in ReadersBefore(value).Where(node => node.InputAt(0) == value && node.OpType is "Gemm" or "MatMul" or "Conv"))
            if (Target(layer.Output[0]) is { } target && Solve(layer, target) is { } solved) return solved;
        return (null, null);
    }

    // The mean and the deviation that a batch normalization knows of a value, perhaps behind constants that are added or multiplied: what
    // they make of 0 and 1 tells how.
    private (double[] Centre, double[] Spread)? Target(string value)
    {
        var (current, between) = (value, new List<NodeProto>());
        for (var step = 0; step < LargestExtent; step++)
        {
            var reader = _firstReaders.GetValueOrDefault(current);
            if (reader is not null && reader.Is("BatchNormalization") && reader.Input[0] == current)
            {
                if (Stored(reader.InputAt(3)) is not { } mean || Deviation(reader) is not { } deviation) return null;
                if (between.Count == 0) return (mean.Data, deviation);
                var (zero, one) = (Through(0, mean.Count), Through(1, mean.Count));
                if (zero is null || one is null) return null;
                var slope = zero.Zip(one, (at0, at1) => at1 - at0).ToArray();
                if (slope.Contains(0)) return null;
                return (
                    [.. mean.Data.Select((centre, c) => (centre - zero[c]) / slope[c])],
                    [.. deviation.Select((spread, c) => spread / Math.Abs(slope[c]))]);
            }

            if (reader is null || !reader.IsStandard() || reader.OpType is not ("Add" or "Sub" or "Mul" or "Div" or "Neg" or "Identity"))
                return null;
            if (!reader.Input.All(input => input == current || _part.Before.Constant(input) is not null)) return null;
            between.Add(reader);
            current = reader.Output[0];
        }

        return null;

        double[]? Through(double element, int channels)
        {
            var rank = Math.Max(_graph.Shape(value)?.Rank ?? 2, 2);
            var x = new ExactTensor([1, channels, .. Enumerable.Repeat(1, rank - 2)], [.. Enumerable.Repeat(element, channels)]);
            try
            {
                var result = new PartEvaluator(_graph.Opset).Run(
                    new PartSide(_graph, between),
                    new Dictionary<string, PartTensor>(StringComparer.Ordinal) { [value] = PartTensor.Of(DataType.Double, x) },
                    [current]);
                return result[current].Exact is { } y && y.Count == channels ? y.Data : null;
            }
            catch (NotSupportedException)
            {
                return null;
            }
        }
    }

    // With ε, as the batch normalization counts it: values that never differ would meet no weight.
    private double[]? Deviation(NodeProto norm)
    {
        if (Stored(norm.InputAt(4)) is not { } variance) return null;
        var epsilon = norm.Real("epsilon", 1e-5f);
        return Array.ConvertAll(variance.Data, value => Math.Sqrt(Math.Max(value, 0) + epsilon));
    }

    private StoredWeight? Stored(string value) => _part.Before.Constant(value) is { } tensor ? new StoredWeight(tensor) : null;

    // An input x for which W·x comes near the means: one step of steepest descent, x = α·Wᵀ·r with r the means without the bias; and how
    // far around it W·x has the deviations, in the middle.
    private (double[] Centre, double[] Spread)? Solve(NodeProto layer, (double[] Centre, double[] Spread) target)
    {
        if (Stored(layer.InputAt(1)) is not { Rank: > 1 } weight) return null;
        var isConv = layer.Is("Conv");
        if (isConv && layer.Integer("group", 1) != 1) return null;
        if (!isConv && weight.Rank != 2) return null;
        var rowsAreOutputs = isConv || (layer.Is("Gemm") && layer.Integer("transB", 0) != 0);
        var (outputs, inputs) = rowsAreOutputs ? (weight.Shape[0], weight.Shape[1]) : (weight.Shape[1], weight.Shape[0]);
        if (target.Centre.Length != outputs) return null;
        var taps = weight.Product(2, weight.Rank);
        var residual = (double[])target.Centre.Clone();
        if (!layer.Is("MatMul") && Stored(layer.InputAt(2)) is { } bias && bias.Count == outputs)
            RealKernels.AddMultiple(bias.Data, -1, residual);
        // x does not differ between the taps of a kernel, so what it meets is their sum.
        var (norms, perTap, image) = (new double[outputs], new double[inputs * taps], new double[outputs]);
        // Of a large weight some rows tell as much: they reach for the means of their outputs, or come from their inputs.
        var row = new double[weight.Count / Math.Max(weight.Shape[0], 1)];
        var rows = (int)Math.Min(weight.Shape[0], Math.Max(1, ManyWeights / 4 / Math.Max(row.Length, 1)));
        for (var i = 0; i < rows; i++)
        {
            weight.Read(i * row.Length, row);
            if (rowsAreOutputs)
            {
                norms[i] = RealKernels.Dot(row, row);
                RealKernels.AddMultiple(row, residual[i], perTap);
            }
            else
            {
                perTap[i] = RealKernels.Dot(row, residual);
                RealKernels.AddSquares(row, norms);
            }
        }

        double[] direction = [.. perTap.Chunk(taps).Select(each => each.Sum())];
        for (var j = 0; j < perTap.Length; j++) perTap[j] = direction[j / taps];
        for (var i = 0; i < rows; i++)
        {
            weight.Read(i * row.Length, row);
            if (rowsAreOutputs) image[i] = RealKernels.Dot(row, perTap);
            else RealKernels.AddMultiple(row, direction[i], image);
        }

        var length = RealKernels.Dot(image, image);
        var step = length > 0 ? RealKernels.Dot(image, residual) / length : 0;
        RealKernels.Multiply(direction, step);
        if (!rowsAreOutputs) RealKernels.Multiply(norms, (double)weight.Shape[0] / rows);
        double[] ratios =
            [.. norms.Zip(target.Spread, (norm, spread) => norm > 0 ? spread / Math.Sqrt(norm) : 0).Where(ratio => ratio > 0).Order()];
        var spread = ratios.Length > 0 ? ratios[ratios.Length / 2] : 1;
        return double.IsFinite(step) && double.IsFinite(spread) ? (direction, [spread]) : null;
    }

    private DataType TypeOf(string value)
    {
        // A layer and its weights have one type; the parameters of a batch normalization may have another.
        var readers = Readers(value);
        return Sibling(readers.Where(use => use.Node.OpType is "Conv" or "ConvTranspose" or "Gemm" or "MatMul"))
            ?? Declared(_graph, value) ?? Sibling(readers) ?? DataType.Float;
    }

    private DataType? Sibling(IEnumerable<(NodeProto Node, int Input)> readers)
    {
        foreach (var (node, input) in readers)
        {
            for (var i = 0; i < node.Input.Count; i++)
            {
                if (i == input) continue;
                var constant = _part.Before.Constant(node.Input[i]) ?? _part.After.Constant(node.Input[i]);
                if (constant is not null && TensorData.IsReal(constant.DataType)) return (DataType)constant.DataType;
            }
        }

        return null;
    }

    // As the model says it, or as what makes the value tells.
    private static DataType? Declared(OnnxGraph graph, string value)
    {
        for (var step = 0; step < LargestExtent && graph.Home(value) is { } home; step++)
        {
            if (home.Initializer(value) is { } stored) return (DataType)stored.DataType;
            if (home.Declaration(value)?.Type?.TensorType?.ElemType is { } type and > 0) return (DataType)type;
            if (home.Producer(value) is not { } node || !node.IsStandard()) return null;
            switch (node.OpType)
            {
                case "Cast":
                    return (DataType)node.Integer("to", (long)DataType.Float);
                case "Shape" or "Size" or "ArgMax" or "ArgMin" or "NonZero":
                    return DataType.Int64;
                case "Equal" or "Less" or "Greater" or "LessOrEqual" or "GreaterOrEqual" or "And" or "Or" or "Not":
                    return DataType.Bool;
                case "Conv" or "ConvTranspose" or "Gemm" when home.Stored(node.InputAt(1)) is { } weight:
                    return (DataType)weight.DataType;
                case "Where" or "DequantizeLinear":
                    value = node.InputAt(1);
                    break;
                default:
                    value = node.InputAt(0);
                    break;
            }

            graph = home;
        }

        return null;
    }

    // Box and Muller's transform.
    private double Normal() => Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());
}
