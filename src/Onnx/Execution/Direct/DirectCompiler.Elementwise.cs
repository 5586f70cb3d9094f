using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Execution.Direct;

/// <summary>Operators on each number, and along the last axis or another one.</summary>
internal sealed partial class DirectCompiler
{
    // The value of SELU's constants that ONNX gives as defaults.
    private const float SeluAlpha = 1.67326319f;
    private const float SeluGamma = 1.05070102f;

    private static readonly Dictionary<string, MapKind> Maps = new(StringComparer.Ordinal)
    {
        ["Abs"] = MapKind.Abs,
        ["Neg"] = MapKind.Negate,
        ["Sqrt"] = MapKind.Sqrt,
        ["Reciprocal"] = MapKind.Reciprocal,
        ["Exp"] = MapKind.Exp,
        ["Log"] = MapKind.Log,
        ["Floor"] = MapKind.Floor,
        ["Ceil"] = MapKind.Ceiling,
        ["Round"] = MapKind.Round,
        ["Relu"] = MapKind.Relu,
        ["Sigmoid"] = MapKind.Sigmoid,
        ["Tanh"] = MapKind.Tanh,
        ["Softplus"] = MapKind.Softplus,
        ["Softsign"] = MapKind.Softsign,
        ["HardSwish"] = MapKind.HardSwish,
        ["Erf"] = MapKind.Erf,
    };

    private static readonly Dictionary<string, CombineKind> Combinations = new(StringComparer.Ordinal)
    {
        ["Add"] = CombineKind.Add,
        ["Sub"] = CombineKind.Subtract,
        ["Mul"] = CombineKind.Multiply,
        ["Div"] = CombineKind.Divide,
        ["Min"] = CombineKind.Min,
        ["Max"] = CombineKind.Max,
        ["Sum"] = CombineKind.Add,
        ["Less"] = CombineKind.Less,
        ["LessOrEqual"] = CombineKind.LessOrEqual,
        ["Greater"] = CombineKind.Greater,
        ["GreaterOrEqual"] = CombineKind.GreaterOrEqual,
        ["Equal"] = CombineKind.Equal,
        ["And"] = CombineKind.And,
        ["Or"] = CombineKind.Or,
        ["Xor"] = CombineKind.Xor,
    };

    private bool LowerElementwise(NodeProto node)
    {
        if (Maps.TryGetValue(node.OpType, out var map))
        {
            Define(node, Mapped(RealValue(node), map));
            return true;
        }

        if (Combinations.TryGetValue(node.OpType, out var combination))
        {
            Define(node, Combined(node, combination));
            return true;
        }

        var result = node.OpType switch
        {
            "IsNaN" => Mapped(RealValue(node), MapKind.IsNaN) with { Kind = OperandKind.Bit },
            "Not" => Mapped(Value(node, 0), MapKind.Not) with { Kind = OperandKind.Bit },
            "LeakyRelu" => Mapped(RealValue(node), MapKind.LeakyRelu, node.Real("alpha", 0.01f)),
            "Elu" => Mapped(RealValue(node), MapKind.Elu, node.Real("alpha", 1)),
            "Selu" => Mapped(RealValue(node), MapKind.Selu, node.Real("alpha", SeluAlpha), node.Real("gamma", SeluGamma)),
            "HardSigmoid" => Mapped(RealValue(node), MapKind.HardSigmoid, node.Real("alpha", 0.2f), node.Real("beta", 0.5f)),
            "Gelu" => Mapped(RealValue(node), node.Text("approximate", "none") == "tanh" ? MapKind.GeluTanh : MapKind.Gelu),
            "Clip" => Clip(node),
            "Pow" => Power(node),
            "PRelu" => LeakyProduct(node),
            "Where" => Where(node),
            "Softmax" or "LogSoftmax" => Softmax(node),
            "ReduceMean" or "ReduceSum" => Reduce(node),
            _ => null,
        };
        if (result is null) return false;
        Define(node, result);
        return true;
    }

    private Operand RealValue(NodeProto node)
    {
        var value = Value(node, 0);
        return value.Kind == OperandKind.Real ? value : throw Refuse("it is not on float32");
    }

    private Operand Mapped(Operand operand, MapKind kind, float a = 0, float b = 0)
    {
        var result = Make(operand.Sizes, operand.RowAxis, operand.Kind);
        Steps.Add(new MapStep(kind, operand.Slot!, result.Slot!, a, b));
        return result;
    }

    private Operand Clip(NodeProto node)
    {
        var operand = Value(node, 0);
        if (operand.Kind == OperandKind.Bit) throw Refuse("it is not on numbers");
        var (least, most) = Limits(node);
        return Mapped(operand, MapKind.Clip, least, most);
    }

    // Attributes at first, inputs from operator set 11 on. Without a limit there is still that of the type.
    private (float Least, float Most) Limits(NodeProto node) => (
        node.Attribute("min")?.F ?? Scalar(node, 1) ?? float.MinValue,
        node.Attribute("max")?.F ?? Scalar(node, 2) ?? float.MaxValue);

    private Operand Power(NodeProto node)
    {
        var operand = RealValue(node);
        switch (Scalar(node, 1))
        {
            case 1:
                return operand;
            case 2:
                return Mapped(operand, MapKind.Square);
            case 0.5f:
                return Mapped(operand, MapKind.Sqrt);
            case 3:
                var square = Mapped(operand, MapKind.Square);
                return Combined(square, operand, CombineKind.Multiply);
            case { } other:
                throw Refuse($"the exponent {other}");
            default:
                throw Refuse("it has no exponent");
        }
    }

    // max(x, 0) + slope · min(x, 0), and so that an infinite x meets no 0.
    private Operand LeakyProduct(NodeProto node)
    {
        var operand = RealValue(node);
        var scaled = Combined(operand, Find(node.InputAt(1)), CombineKind.Multiply);
        if (!scaled.Sizes.SequenceEqual(operand.Sizes)) throw Refuse("the slopes have another shape");
        var zero = new Operand([], -1) { Constant = [0] };
        return Chosen(Combined(operand, zero, CombineKind.Less), scaled, operand);
    }

    private Operand Where(NodeProto node)
    {
        var (condition, a, b) = (Find(node.InputAt(0)), Find(node.InputAt(1)), Find(node.InputAt(2)));
        if (a.Kind != b.Kind) throw Refuse("its sides are of different types");
        return Chosen(condition, a, b);
    }

    private Operand Chosen(Operand condition, Operand a, Operand b)
    {
        var (sizes, rowAxis) = Broadcast(condition, a, b);
        var result = Make(sizes, rowAxis, a.Kind);
        Steps.Add(new SelectStep(
            Spread(condition, sizes, rowAxis), Spread(a, sizes, rowAxis), Spread(b, sizes, rowAxis), result.Slot!));
        return result;
    }

    private Operand Combined(NodeProto node, CombineKind kind)
    {
        if (SiluOperand(node) is { } gated)
        {
            var x = Find(gated);
            if (x is { Slot: not null, Kind: OperandKind.Real }) return Mapped(x, MapKind.Silu);
        }

        var operand = Find(node.InputAt(0));
        if (node.Input.Count == 1) return operand;
        for (var i = 1; i < node.Input.Count; i++) operand = Combined(operand, Find(node.Input[i]), kind);
        return operand;
    }

    private Operand Combined(Operand a, Operand b, CombineKind kind)
    {
        if (a.Slot is null && b.Slot is null) throw Refuse("all its inputs are constant");
        var isArithmetic = kind is CombineKind.Add or CombineKind.Subtract or CombineKind.Multiply or CombineKind.Divide;
        if (a.Kind != b.Kind || (isArithmetic && a.Kind != OperandKind.Real)) throw Refuse("it is on whole numbers, or on different types");
        Note(a, b, kind);
        if (kind == CombineKind.Add && (TryAddBias(a, b) ?? TryAddBias(b, a)) is { } biased) return biased;
        var (sizes, rowAxis) = Broadcast(a, b);
        var result = Make(sizes, rowAxis, isArithmetic || kind is CombineKind.Min or CombineKind.Max ? a.Kind : OperandKind.Bit);
        Steps.Add(new CombineStep(kind, Spread(a, sizes, rowAxis), Spread(b, sizes, rowAxis), result.Slot!));
        return result;
    }

    // What is taken off an input, or what it is compared with, is near the values that the input has.
    private void Note(Operand a, Operand b, CombineKind kind)
    {
        if (b.Constant is not { } constant || a.Slot is not { Input: { } first } slot || constant.Length > slot.Width) return;
        for (var i = 0; i < slot.Width; i++)
        {
            var value = constant[i % constant.Length];
            if (kind == CombineKind.Add) value = -value;
            else if (kind is CombineKind.Multiply or CombineKind.Divide) continue;
            _points[first + i].Add((float)value);
        }
    }

    private Operand? TryAddBias(Operand product, Operand bias)
    {
        if (bias.Constant is not { } numbers || product is not { IsOnlyRead: true, Slot: { } slot }
            || !_products.TryGetValue(slot, out var step) || step.HasBias || Steps[^1] != step)
            return null;
        var (sizes, rowAxis) = Broadcast(product, bias);
        if (!sizes.SequenceEqual(product.Sizes) || rowAxis != product.RowAxis) return null;
        step.SetBias([.. Positions(bias, sizes, rowAxis).Select(position => numbers[position])]);
        return product;
    }

    // The sizes that operands have together, aligned at the end.
    private static (int[] Sizes, int RowAxis) Broadcast(params ReadOnlySpan<Operand> operands)
    {
        var rank = 0;
        foreach (var operand in operands) rank = Math.Max(rank, operand.Rank);
        var full = new int[rank];
        Array.Fill(full, 1);
        var rowAxis = -1;
        foreach (var operand in operands)
        {
            var (own, shift) = (operand.Full, rank - operand.Rank);
            for (var i = 0; i < own.Length; i++)
            {
                if (own[i] == 1) continue;
                if (full[shift + i] != 1 && full[shift + i] != own[i]) throw Refuse("its inputs have different shapes");
                full[shift + i] = own[i];
            }

            if (operand.RowAxis < 0) continue;
            if (rowAxis >= 0 && rowAxis != shift + operand.RowAxis) throw Refuse("its inputs have rows in different places");
            rowAxis = shift + operand.RowAxis;
        }

        return full[rowAxis] == 1
            ? ([.. full[..rowAxis], .. full[(rowAxis + 1)..]], rowAxis)
            : throw Refuse("a constant has a number of rows");
    }

    // For each number of a row the operand's that belongs there.
    private static int[] Positions(Operand operand, int[] sizes, int rowAxis)
    {
        int[] own = [.. Enumerable.Repeat(1, sizes.Length + 1 - operand.Rank), .. operand.Full];
        var strides = new int[own.Length];
        for (var (i, stride) = (own.Length - 1, 1); i >= 0; stride *= own[i--]) strides[i] = own[i] == 1 ? 0 : stride;
        return Columns(sizes, [.. strides[..rowAxis], .. strides[(rowAxis + 1)..]]);
    }

    private Source Spread(Operand operand, int[] sizes, int rowAxis)
    {
        var positions = Positions(operand, sizes, rowAxis);
        if (operand.Constant is not { } numbers) return new Source(Taken(operand, positions, sizes, rowAxis).Slot, null);
        var spread = new AlignedNumbers(Kernels.Padded(positions.Length));
        for (var i = 0; i < positions.Length; i++) spread.Span[i] = (float)numbers[positions[i]];
        return new Source(null, spread);
    }

    private Operand Softmax(NodeProto node)
    {
        var operand = RealValue(node);
        var axis = Axis(node.Integer("axis", _opset < 13 ? 1 : -1), operand.Rank);

        // Before operator set 13 all axes from there on were one.
        var isLast = _opset < 13 ? axis > operand.RowAxis && operand.Sizes[axis..].All(size => size == 1) : axis == operand.Rank - 1;
        if (!isLast || operand.RowAxis == operand.Rank - 1) throw Refuse("it is not along the last axis");
        var result = Make(operand.Sizes, operand.RowAxis);
        Steps.Add(new SoftmaxStep(operand.Slot!, result.Slot!, operand.Count / operand.Sizes[^1], node.Is("LogSoftmax")));
        return result;
    }

    private Operand Reduce(NodeProto node)
    {
        var operand = RealValue(node);
        int[] axes = [.. (Integers(node, "axes", 1) ?? throw Refuse("it does not say which axes"))
            .Select(axis => AxisOfRow(operand, axis)).Distinct().Order()];
        if (axes.Length == 0 || axes[^1] - axes[0] != axes.Length - 1) throw Refuse("its axes are not neighbours");
        var (start, end) = (axes[0], axes[^1] + 1);
        int[] kept = node.Integer("keepdims", 1) != 0 ? [.. Enumerable.Repeat(1, axes.Length)] : [];
        var rowAxis = start < operand.RowAxis ? operand.RowAxis - axes.Length + kept.Length : operand.RowAxis;
        var result = Make([.. operand.Sizes[..start], .. kept, .. operand.Sizes[end..]], rowAxis);
        Steps.Add(new ReduceStep(
            operand.Slot!, result.Slot!, Operand.Product(operand.Sizes, 0, start), Operand.Product(operand.Sizes, start, end),
            Operand.Product(operand.Sizes, end, operand.Sizes.Length), node.Is("ReduceMean")));
        return result;
    }
}
