using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Execution.Direct;

/// <summary>What an operand's numbers are.</summary>
internal enum OperandKind
{
    Real, Whole, Bit,
}

/// <summary>
/// A value of the graph as one row has it, or a constant. Of a value, the axis that counts rows is left out of the sizes: where it stands
/// makes no difference to where a row's numbers lie.
/// </summary>
/// <param name="Sizes">The sizes; without the axis of the rows where there is one.</param>
/// <param name="RowAxis">Which axis of the tensor counts the rows; −1 for constants.</param>
internal sealed record Operand(int[] Sizes, int RowAxis)
{
    public Slot? Slot { get; init; }

    public double[]? Constant { get; init; }

    public OperandKind Kind { get; init; }

    /// <summary>Whether nobody else reads the numbers, under whatever shape.</summary>
    public bool IsOnlyRead { get; init; }

    public int Count => Operand.Product(Sizes, 0, Sizes.Length);

    public int Rank => Sizes.Length + (RowAxis < 0 ? 0 : 1);

    /// <summary>The sizes of the tensor for a single row.</summary>
    public int[] Full => RowAxis < 0 ? Sizes : [.. Sizes[..RowAxis], 1, .. Sizes[RowAxis..]];

    public static int Product(int[] sizes, int start, int end)
    {
        var product = 1;
        for (var i = start; i < end; i++) product = checked(product * sizes[i]);
        return product;
    }
}

/// <summary>
/// Turns a graph into steps. Operators on shapes make none; what cannot be done here is refused, with the node and the reason.
/// </summary>
internal sealed partial class DirectCompiler
{
    private readonly OnnxGraph _graph;
    private readonly long _opset;
    private readonly IReadOnlyList<string> _outputNames;
    private readonly Dictionary<string, Operand> _operands = new(StringComparer.Ordinal);
    private readonly HashSet<string> _needed = new(StringComparer.Ordinal);
    private readonly Dictionary<NodeProto, List<LinePiece>> _lines = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Slot, ProductStep> _products = [];
    private readonly List<float>[] _points;

    // Where numbers of the inputs went as they are, or with their fraction cut off.
    private readonly Dictionary<Slot, int[]> _origins = [];

    public DirectCompiler(ModelProto model, IReadOnlyList<string> outputs)
    {
        _graph = new ModelEditor(model).Main;
        (_opset, _outputNames) = (_graph.Opset, outputs);
        var start = 0;
        foreach (var input in model.Graph.Input.Where(input => _graph.Initializer(input.Name) is null))
        {
            var shape = TensorShape.From(input.Type) ?? throw Refuse($"the input '{input.Name}' has no shape");
            if (shape.Rank < 1 || shape[0].Size is not null || input.Type.TensorType.ElemType != (int)DataType.Float)
                throw Refuse($"the input '{input.Name}' is not float32 with any number of rows in front");
            int[] sizes = [.. shape.Dimensions.Skip(1).Select(size => (int?)size.Size
                ?? throw Refuse($"the input '{input.Name}' has an open size"))];
            var slot = new Slot(Operand.Product(sizes, 0, sizes.Length)) { Input = start };
            Inputs.Add(slot);
            _origins.Add(slot, [.. Enumerable.Range(start, slot.Width)]);
            _operands.Add(input.Name, new Operand(sizes, 0) { Slot = slot });
            start += slot.Width;
        }

        _points = [.. Enumerable.Range(0, start).Select(_ => new List<float>())];
        Codes = new int[start];
    }

    public List<DirectStep> Steps { get; } = [];

    public List<Slot> Inputs { get; } = [];

    public List<Slot> Outputs { get; } = [];

    public long Products { get; private set; }

    public IEnumerable<IEnumerable<float>> Points => _points;

    /// <summary>For each number of a row that is an index into a table how many entries that has; 0 for the others.</summary>
    public int[] Codes { get; }

    /// <summary>Makes the steps; says why there are none.</summary>
    public string? Run()
    {
        MarkNeeded();
        foreach (var node in _graph.Nodes)
        {
            if (!node.Output.Any(_needed.Contains) || node.Output.All(output => output.Length == 0 || IsConstant(output))) continue;
            try
            {
                Lower(node);
            }
            catch (Exception exception) when (exception
                is InvalidModelException or IndexOutOfRangeException or ArgumentException or OverflowException or NotSupportedException)
            {
                return $"{node.Describe()}: {exception.Message}";
            }
        }

        foreach (var name in _outputNames)
        {
            var output = Find(name);
            if (output is not { Slot: { } slot, RowAxis: 0, Kind: OperandKind.Real }) return $"the output '{name}' is no rows of float32";

            // An input as it is, or the same twice: a slot is copied out once.
            Outputs.Add(slot.Input is null && !Outputs.Contains(slot) ? slot : Copied(slot));
        }

        return null;
    }

    private static InvalidModelException Refuse(string reason) => new(reason);

    private Slot Copied(Slot slot)
    {
        var copy = new Slot(slot.Width);
        Steps.Add(new CopyStep([.. Enumerable.Range(0, slot.Width).Select(column => (slot, column))], copy));
        return copy;
    }

    private bool IsConstant(string value) =>
        value.Length == 0 || _graph.Constant(value).Tensor is not null || Whole(value) is not null;

    // From the outputs backwards: what a step makes of several nodes leaves out the values between them.
    private void MarkNeeded()
    {
        _needed.UnionWith(_outputNames);
        foreach (var node in _graph.Nodes.Reverse())
        {
            if (!node.Output.Any(_needed.Contains)) continue;
            if (node.IsStandard() && node.OpType is "Gemm" or "MatMul" && FindLines(node) is { } pieces)
            {
                _lines.Add(node, pieces);
                foreach (var piece in pieces) _needed.Add(piece.Value);
                continue;
            }

            if (SiluOperand(node) is { } operand)
            {
                _needed.Add(operand);
                continue;
            }

            // The other inputs of these are shapes and axes, which are constant or cannot be done.
            var isShaped = node.OpType
                is "Reshape" or "Squeeze" or "Unsqueeze" or "Slice" or "Split" or "ReduceMean" or "ReduceSum";
            _needed.UnionWith((isShaped ? node.Input.Take(1) : node.Input).Where(input => !IsConstant(input)));
        }
    }

    // x of x · Sigmoid(x), where nobody else reads the Sigmoid.
    private string? SiluOperand(NodeProto node)
    {
        if (!node.Is("Mul")) return null;
        for (var i = 0; i < 2; i++)
        {
            var (x, gate) = (node.Input[i], node.Input[1 - i]);
            if (_graph.Producer(gate) is { } sigmoid && sigmoid.Is("Sigmoid") && sigmoid.Input[0] == x
                && _graph.WhyOthersRead(gate, node, 1 - i) is null)
                return x;
        }

        return null;
    }

    private Operand Find(string name) =>
        _operands.TryGetValue(name, out var known) ? known
        : TryConstant(name) is { } constant ? constant
        : throw Refuse($"'{name}' is not known here");

    private Operand? TryConstant(string name)
    {
        if (name.Length == 0) return null;
        if (_graph.Constant(name).Tensor is { } tensor)
        {
            if (tensor.Type != DataType.Float) throw Refuse($"'{name}' is of {tensor.Type}");
            return new Operand([.. tensor.Shape.Select(size => checked((int)size))], -1) { Constant = tensor.ToArray() };
        }

        return Whole(name);
    }

    private Operand? Whole(string name)
    {
        var stored = _graph.Initializer(name);
        if (stored is null && _graph.Producer(name) is { } node && node.Is("Constant")) stored = node.Attribute("value")?.T;
        if (stored is { DataLocation: not TensorProto.Types.DataLocation.External } && !_graph.IsInput(name)
            && (DataType)stored.DataType is DataType.Int64 or DataType.Int32)
        {
            var numbers = ElementTypes.Of((DataType)stored.DataType).Read(stored);
            return new Operand([.. stored.Dims.Select(size => checked((int)size))], -1)
            {
                Constant = numbers is long[] wide
                    ? Array.ConvertAll(wide, value => (double)value)
                    : Array.ConvertAll((int[])numbers, value => (double)value),
                Kind = OperandKind.Whole,
            };
        }

        if (_graph.Integers(name) is not { } integers) return null;
        int[] sizes = _graph.Shape(name) is { Rank: 0 } ? [] : [integers.Length];
        return new Operand(sizes, -1) { Constant = [.. integers.Select(value => (double)value)], Kind = OperandKind.Whole };
    }

    private Operand Value(NodeProto node, int input)
    {
        var operand = Find(node.InputAt(input));
        return operand.Slot is not null ? operand : throw Refuse("all its inputs are constant");
    }

    private double[] Constant(NodeProto node, int input, string what) =>
        TryConstant(node.InputAt(input))?.Constant ?? throw Refuse($"{what} is not constant");

    private float? Scalar(NodeProto node, int input)
    {
        if (node.InputAt(input).Length == 0) return null;
        var constant = Constant(node, input, $"'{node.InputAt(input)}'");
        return constant.Length == 1 ? (float)constant[0] : throw Refuse($"'{node.InputAt(input)}' is not a single number");
    }

    private int[]? Integers(NodeProto node, string attribute, int input)
    {
        if (node.Integers(attribute) is { } given) return [.. given.Select(value => checked((int)value))];
        if (node.InputAt(input).Length == 0) return null;
        var integers = _graph.Integers(node.Input[input]) ?? throw Refuse($"'{node.Input[input]}' is not constant");
        return [.. integers.Select(value => (int)Math.Clamp(value, int.MinValue, int.MaxValue))];
    }

    private void Define(NodeProto node, Operand operand, int output = 0)
    {
        var name = node.Output[output];
        _operands[name] = operand with { IsOnlyRead = operand.IsOnlyRead && _graph.Readers(name).Count == 1 && !_graph.IsOutput(name) };
    }

    /// <summary>A new slot for a result of some sizes.</summary>
    private static Operand Make(int[] sizes, int rowAxis, OperandKind kind = OperandKind.Real) => new(sizes, rowAxis)
    {
        Slot = new Slot(Operand.Product(sizes, 0, sizes.Length)),
        Kind = kind,
        IsOnlyRead = true,
    };

    // The same numbers in another shape.
    private void Alias(NodeProto node, Operand operand, int[] sizes, int rowAxis) =>
        Define(node, operand with { Sizes = sizes, RowAxis = rowAxis });

    // Each number of the result is one of the operand's.
    private Operand Taken(Operand operand, int[] columns, int[] sizes, int rowAxis)
    {
        var isSame = columns.Length == operand.Count;
        for (var i = 0; isSame && i < columns.Length; i++) isSame = columns[i] == i;
        if (isSame) return operand with { Sizes = sizes, RowAxis = rowAxis };
        var result = Make(sizes, rowAxis, operand.Kind);
        Steps.Add(new CopyStep([.. columns.Select(column => (operand.Slot!, column))], result.Slot!));
        if (_origins.TryGetValue(operand.Slot!, out var origins))
            _origins.Add(result.Slot!, [.. columns.Select(column => origins[column])]);
        return result;
    }

    private static int Axis(long axis, int rank) =>
        axis >= -rank && axis < rank ? (int)(axis < 0 ? axis + rank : axis) : throw Refuse($"axis {axis} of {rank}");

    // An axis of the tensor among the sizes without that of the rows.
    private static int AxisOfRow(Operand operand, long axis)
    {
        var full = Axis(axis, operand.Rank);
        if (full == operand.RowAxis) throw Refuse("it is along the rows");
        return full > operand.RowAxis && operand.RowAxis >= 0 ? full - 1 : full;
    }

    private void Lower(NodeProto node)
    {
        if (!node.IsStandard() && !(node.Domain == "com.microsoft" && node.OpType is "Gelu"))
            throw Refuse($"an operator of the domain '{node.Domain}'");
        if (node.Subgraphs().Any()) throw Refuse("it has graphs of its own inside");
        if (LowerShape(node) || LowerElementwise(node) || LowerProduct(node)) return;
        throw Refuse("an operator that is not known here");
    }
}
