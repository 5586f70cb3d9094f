using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>
/// Computes a part of a graph in float64, and as the model's own types would have it, with arithmetic of its own: whoever folds and whoever
/// judges share no formula. What it does not know it asks ONNX Runtime for, node by node.
/// </summary>
/// <param name="opset">The operator set that the nodes are written for.</param>
internal sealed class PartEvaluator(long opset)
{
    // What one side may compute: this many numbers, and some times as many as its constants have. Sizes are anybody's claim.
    private const long FreeNumbers = 1L << 26;
    private const long NumbersPerConstant = 64;

    /// <summary>Some values of a side.</summary>
    /// <param name="side">The nodes and their constants.</param>
    /// <param name="inputs">What goes in.</param>
    /// <param name="outputs">Which values are asked for; those that are not made are not given.</param>
    /// <exception cref="NotSupportedException">A node cannot be computed here, which says why.</exception>
    public Dictionary<string, PartTensor> Run(
        PartSide side, IReadOnlyDictionary<string, PartTensor> inputs, IReadOnlyCollection<string> outputs)
    {
        var values = new Dictionary<string, PartTensor>(inputs, StringComparer.Ordinal);
        var lastUse = new Dictionary<string, int>(StringComparer.Ordinal);
        var left = FreeNumbers;
        for (var i = 0; i < side.Nodes.Count; i++)
        {
            foreach (var input in side.Nodes[i].Input)
                if (lastUse.TryAdd(input, i)) left += NumbersPerConstant * side.NumbersOf(input);
                else lastUse[input] = i;
        }

        for (var i = 0; i < side.Nodes.Count; i++)
        {
            var node = side.Nodes[i];
            var operands = node.Input.Select(name => Operand(name, side, values)).ToArray();
            var results = Compute(node, operands);
            if ((left -= results.Sum(result => (long)result.Exact.Count)) < 0)
                throw new NotSupportedException($"up to {node.Describe()} it has more numbers than are computed here");
            for (var o = 0; o < results.Count && o < node.Output.Count; o++)
                if (node.Output[o].Length > 0) values[node.Output[o]] = results[o];
            // What nobody reads any more is let go at once.
            foreach (var input in node.Input.Where(input => lastUse[input] == i && !outputs.Contains(input))) values.Remove(input);
        }

        return outputs.Where(values.ContainsKey).ToDictionary(output => output, output => values[output], StringComparer.Ordinal);
    }

    private static PartTensor? Operand(string name, PartSide side, Dictionary<string, PartTensor> values)
    {
        if (name.Length == 0) return null;
        if (values.TryGetValue(name, out var known)) return known;
        if (side.Constant(name) is not { } stored) throw new NotSupportedException($"'{name}' is not known.");
        var constant = PartTensor.Of((DataType)stored.DataType, new StoredWeight(stored));
        values.Add(name, constant);
        return constant;
    }

    private List<PartTensor> Compute(NodeProto node, PartTensor?[] operands)
    {
        if (!node.IsStandard()) throw new NotSupportedException($"{node.Describe()} is an operator of another domain.");
        var types = operands.Select(operand => operand?.Type ?? DataType.Undefined).ToArray();
        ExactTensor?[] exactOperands = [.. operands.Select(operand => operand?.Exact)];
        ExactTensor?[] roundedOperands = [.. operands.Select(operand => operand?.Rounded)];
        var isExact = exactOperands.Zip(roundedOperands, ReferenceEquals).All(isSame => isSame);
        var exact = Run(node, exactOperands, types, null);
        // Most of the work is a product of the same numbers: it is done once, unless the operator rounds in between.
        var rounded = isExact && node.OpType != "BatchNormalization"
            ? exact
            : Run(node, roundedOperands, types, values => PartTensor.Round(Between(types[0]), values));
        var results = new List<PartTensor>();
        for (var i = 0; i < exact.Count; i++)
        {
            var type = TypeOf(node, i, types);
            // What counts or compares has no digits to lose.
            var lossless = TensorData.IsReal((int)type) ? exact[i] : Rounded(type, exact[i]);
            var inType = ReferenceEquals(rounded[i], exact[i]) ? lossless : rounded[i];
            if (PartOperators.HasSummand(node, exactOperands))
            {
                // A product is rounded before something is added to it.
                inType = Rounded(Between(type), inType);
                lossless = AddSummand(node, exactOperands, lossless);
                inType = AddSummand(node, roundedOperands, inType);
            }

            results.Add(new PartTensor(type, lossless, Rounded(type, inType)));
        }

        return results;
    }

    // Operators on halves compute in float32 and round once, at the end.
    private static DataType Between(DataType type) => type is DataType.Float16 or DataType.Bfloat16 ? DataType.Float : type;

    private static ExactTensor Rounded(DataType type, ExactTensor tensor)
    {
        var values = PartTensor.Round(type, tensor.Data);
        return ReferenceEquals(values, tensor.Data) ? tensor : new ExactTensor(tensor.Shape, values);
    }

    private static DataType TypeOf(NodeProto node, int output, DataType[] types) => node.OpType switch
    {
        "Cast" => (DataType)node.Integer("to", (long)DataType.Float),
        "CastLike" => types[1],
        "Shape" or "Size" or "NonZero" or "ArgMax" or "ArgMin" => DataType.Int64,
        "Constant" => node.Attribute("value")?.T is { } tensor ? (DataType)tensor.DataType
            : node.Attribute("value_int") is not null || node.Attribute("value_ints") is not null ? DataType.Int64 : DataType.Float,
        "ConstantOfShape" => node.Attribute("value")?.T is { } filling ? (DataType)filling.DataType : DataType.Float,
        "DequantizeLinear" => types[1],
        "Where" => types[1],
        "Dropout" when output == 1 => DataType.Bool,
        _ => types[0],
    };

    private IReadOnlyList<ExactTensor> Run(NodeProto node, ExactTensor?[] inputs, DataType[] types, Func<double[], double[]>? round)
    {
        var context = new PartOperator(node, inputs, opset, round);
        return Guarded(node, () => PartOperators.ByName.TryGetValue(node.OpType, out var compute)
            ? compute(context)
            : PartRuntime.Run(node, inputs, types, opset));
    }

    private ExactTensor AddSummand(NodeProto node, ExactTensor?[] inputs, ExactTensor product) =>
        Guarded(node, () => PartOperators.AddSummand(new PartOperator(node, inputs, opset, null), product));

    private static T Guarded<T>(NodeProto node, Func<T> compute)
    {
        try
        {
            return compute();
        }
        catch (Exception exception) when (exception
            is IndexOutOfRangeException or ArgumentException or OverflowException or AggregateException or InvalidModelException
            or ModelRunException)
        {
            // Sizes that do not fit together: the ones that were chosen, mostly.
            throw new NotSupportedException($"{node.Describe()} cannot be computed: {exception.Message}", exception);
        }
    }
}

/// <summary>A node that is computed.</summary>
/// <param name="Node">The node.</param>
/// <param name="Inputs">Its operands; null where one is not given.</param>
/// <param name="Opset">The operator set that it is written for.</param>
/// <param name="Round">Rounds what an operator has in between; null where nothing is to be rounded.</param>
internal sealed record PartOperator(NodeProto Node, ExactTensor?[] Inputs, long Opset, Func<double[], double[]>? Round)
{
    /// <summary>An operand that must be given.</summary>
    public ExactTensor this[int input] =>
        Has(input) ? Inputs[input]! : throw new NotSupportedException($"{Node.Describe()} has no input {input}.");

    /// <summary>Whether an operand is given.</summary>
    public bool Has(int input) => input < Inputs.Length && Inputs[input] is not null;

    /// <summary>Integers that are an attribute or, in later operator sets, an input.</summary>
    public int[]? Integers(string attribute, int input) =>
        Node.Integers(attribute) is { } given ? [.. given.Select(value => checked((int)value))]
        : Has(input) ? Inputs[input]!.Integers
        : null;
}
