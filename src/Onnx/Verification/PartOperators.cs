using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>The operators that stand between linear layers and batch normalizations, as ONNX's text defines them, in float64.</summary>
internal static partial class PartOperators
{
    /// <summary>What computes the outputs of a node.</summary>
    public static IReadOnlyDictionary<string, Func<PartOperator, IReadOnlyList<ExactTensor>>> ByName { get; } = All();

    private static Dictionary<string, Func<PartOperator, IReadOnlyList<ExactTensor>>> All()
    {
        var all = new Dictionary<string, Func<PartOperator, IReadOnlyList<ExactTensor>>>(StringComparer.Ordinal)
        {
            ["Add"] = node => Join(node, (a, b) => a + b),
            ["Sub"] = node => Join(node, (a, b) => a - b),
            ["Mul"] = node => Join(node, (a, b) => a * b),
            ["Div"] = node => Join(node, (a, b) => a / b),
            ["Pow"] = node => Join(node, Math.Pow),
            ["Sum"] = node => Join(node, (a, b) => a + b),
            ["Max"] = node => Join(node, Math.Max),
            ["Min"] = node => Join(node, Math.Min),
            ["Mean"] = node =>
            {
                var sum = Join(node, (a, b) => a + b)[0];
                return [Each(sum, value => value / node.Inputs.Length)];
            },
            ["Neg"] = node => [Each(node[0], value => -value)],
            ["Abs"] = node => [Each(node[0], Math.Abs)],
            ["Sqrt"] = node => [Each(node[0], Math.Sqrt)],
            ["Reciprocal"] = node => [Each(node[0], value => 1 / value)],
            ["Exp"] = node => [Each(node[0], Math.Exp)],
            ["Relu"] = node => [Each(node[0], value => Math.Max(value, 0))],
            ["LeakyRelu"] = node =>
            {
                double alpha = node.Node.Real("alpha", 0.01f);
                return [Each(node[0], value => value < 0 ? alpha * value : value)];
            },
            ["Clip"] = Clip,
            ["Cast"] = Cast,
            ["BatchNormalization"] = BatchNormalization,
            ["Where"] = Where,
        };
        AddLayouts(all);
        AddReductions(all);
        AddProducts(all);
        return all;
    }

    private static ExactTensor Each(ExactTensor tensor, Func<double, double> map) =>
        new(tensor.Shape, Array.ConvertAll(tensor.Data, map.Invoke));

    // Left to right over all operands, with broadcasting.
    private static IReadOnlyList<ExactTensor> Join(PartOperator node, Func<double, double, double> map)
    {
        var result = node[0];
        for (var i = 1; i < node.Inputs.Length; i++)
        {
            var other = node.Opset < 7 && node.Node.Integer("broadcast", 0) != 0 ? Aligned(node[i], result.Rank, node.Node) : node[i];
            result = Join(result, other, map);
        }

        return [result];
    }

    // Up to operator set 6 an attribute says where the dimensions of the second operand begin; without it they end where the first's do.
    private static ExactTensor Aligned(ExactTensor tensor, int rank, NodeProto node)
    {
        if (node.Attribute("axis") is not { } axis) return tensor;
        var start = (int)(axis.I < 0 ? axis.I + rank : axis.I);
        return new ExactTensor([.. tensor.Shape, .. Enumerable.Repeat(1, rank - start - tensor.Rank)], tensor.Data);
    }

    private static ExactTensor Join(ExactTensor left, ExactTensor right, Func<double, double, double> map)
    {
        var (a, b) = (left.Data, right.Data);
        if (left.Shape.AsSpan().SequenceEqual(right.Shape))
        {
            var same = new double[a.Length];
            for (var i = 0; i < same.Length; i++) same[i] = map(a[i], b[i]);
            return new ExactTensor(left.Shape, same);
        }

        var shape = Broadcast(left.Shape, right.Shape);
        var result = new ExactTensor(shape, new double[shape.Aggregate(1, (product, size) => product * size)]);
        var (leftSteps, rightSteps) = (Steps(left.Shape, shape.Length), Steps(right.Shape, shape.Length));
        var counter = new int[shape.Length];
        var (p, q) = (0, 0);
        for (var i = 0; i < result.Count; i++)
        {
            result.Data[i] = map(a[p], b[q]);
            for (var axis = shape.Length - 1; axis >= 0; axis--)
            {
                counter[axis]++;
                p += leftSteps[axis];
                q += rightSteps[axis];
                if (counter[axis] < shape[axis]) break;
                p -= leftSteps[axis] * shape[axis];
                q -= rightSteps[axis] * shape[axis];
                counter[axis] = 0;
            }
        }

        return result;
    }

    private static int[] Broadcast(int[] left, int[] right)
    {
        var shape = new int[Math.Max(left.Length, right.Length)];
        for (var i = 1; i <= shape.Length; i++)
        {
            var (a, b) = (i <= left.Length ? left[^i] : 1, i <= right.Length ? right[^i] : 1);
            if (a != b && a != 1 && b != 1)
                throw new ArgumentException(
                    $"[{string.Join(", ", left)}] and [{string.Join(", ", right)}] cannot be broadcast to one shape.");
            shape[^i] = a == 1 ? b : a;
        }

        return shape;
    }

    // How far each axis of a larger shape goes in the elements; nowhere where it is broadcast.
    private static int[] Steps(int[] shape, int rank)
    {
        var steps = new int[rank];
        var step = 1;
        for (var i = 1; i <= shape.Length; i++)
        {
            steps[^i] = shape[^i] == 1 ? 0 : step;
            step *= shape[^i];
        }

        return steps;
    }

    private static ExactTensor Expanded(ExactTensor tensor, int[] shape) =>
        Join(tensor, Gathered(shape, new ExactTensor([], [0]), _ => 0), (element, _) => element);

    private static IReadOnlyList<ExactTensor> Where(PartOperator node)
    {
        var shape = Broadcast(Broadcast(node[0].Shape, node[1].Shape), node[2].Shape);
        var (condition, yes, no) = (Expanded(node[0], shape), Expanded(node[1], shape), Expanded(node[2], shape));
        return [new ExactTensor(shape, [.. condition.Data.Select((chosen, i) => chosen != 0 ? yes.Data[i] : no.Data[i])])];
    }

    private static IReadOnlyList<ExactTensor> Clip(PartOperator node)
    {
        var low = node.Has(1) ? node[1].Data[0] : node.Node.Attribute("min") is { } min ? min.F : double.NegativeInfinity;
        var high = node.Has(2) ? node[2].Data[0] : node.Node.Attribute("max") is { } max ? max.F : double.PositiveInfinity;
        return [Each(node[0], value => Math.Min(Math.Max(value, low), high))];
    }

    private static IReadOnlyList<ExactTensor> Cast(PartOperator node)
    {
        if (ElementTypes.Find((DataType)node.Node.Integer("to", 0)) is not { Clr: not null } type || type.Type == DataType.String)
            throw new NotSupportedException($"{node.Node.Describe()} makes something else than numbers.");
        // Rounding to the type is the evaluator's business.
        return [type.IsReal || type.Type == DataType.Bool ? node[0] : Each(node[0], Math.Truncate)];
    }

    // y = γ·(x − μ) / √(σ² + ε) + β (Ioffe and Szegedy 2015, Algorithm 2), in this order.
    private static IReadOnlyList<ExactTensor> BatchNormalization(PartOperator node)
    {
        if (node.Node.Integer("training_mode", 0) != 0 || node.Node.Output.Count(output => output.Length > 0) > 1)
            throw new NotSupportedException($"{node.Node.Describe()} is in training mode.");
        var x = node[0];
        var channels = x.Rank > 1 ? x.Shape[1] : 1;
        var inner = x.Product(Math.Min(2, x.Rank), x.Rank);
        var parameters = Enumerable.Range(1, 4).Select(i => node[i].Data).ToArray();
        foreach (var parameter in parameters.Where(parameter => parameter.Length != channels && parameter.Length != 1))
            throw new ArgumentException($"{parameter.Length} parameters do not fit {channels} channels.");
        double epsilon = node.Node.Real("epsilon", 1e-5f);
        // As it is written: x − μ, times the scale, plus β.
        var scales = Rounded([.. Enumerable.Range(0, channels).Select(c => At(0, c) / Math.Sqrt(At(3, c) + epsilon))]);
        var result = new double[x.Count];
        for (var i = 0; i < result.Length; i++) result[i] = x.Data[i] - At(2, i / inner % channels);
        result = Rounded(result);
        for (var i = 0; i < result.Length; i++) result[i] *= scales[i / inner % channels];
        result = Rounded(result);
        for (var i = 0; i < result.Length; i++) result[i] += At(1, i / inner % channels);
        return [new ExactTensor(x.Shape, result)];

        double At(int parameter, int channel) => parameters[parameter][parameters[parameter].Length == 1 ? 0 : channel];

        double[] Rounded(double[] values) => node.Round is { } round ? round(values) : values;
    }
}
