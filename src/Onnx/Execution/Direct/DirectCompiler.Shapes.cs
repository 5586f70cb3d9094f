using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Execution.Direct;

/// <summary>Operators that move numbers, or only say that they have another shape.</summary>
internal sealed partial class DirectCompiler
{
    private bool LowerShape(NodeProto node)
    {
        switch (node.OpType)
        {
            case "Identity":
                var same = Value(node, 0);
                Alias(node, same, same.Sizes, same.RowAxis);
                return true;
            case "Dropout":
                if (node.InputAt(2).Length > 0 || node.Output.Skip(1).Any(_needed.Contains)) throw Refuse("it may be training");
                var kept = Value(node, 0);
                Alias(node, kept, kept.Sizes, kept.RowAxis);
                return true;
            case "Flatten":
                var flat = Value(node, 0);
                if (flat.RowAxis != 0 || Axis(node.Integer("axis", 1), flat.Rank + 1) != 1) throw Refuse("rows are not in front");
                Alias(node, flat, [flat.Count], 0);
                return true;
            case "Reshape":
                Reshape(node);
                return true;
            case "Squeeze":
                Squeeze(node);
                return true;
            case "Unsqueeze":
                Unsqueeze(node);
                return true;
            case "Transpose":
                Transpose(node);
                return true;
            case "Gather":
                Gather(node);
                return true;
            case "Concat":
                Concat(node);
                return true;
            case "Split":
                Split(node);
                return true;
            case "Slice":
                Slice(node);
                return true;
            case "Cast":
                Cast(node);
                return true;
            default:
                return false;
        }
    }

    private void Reshape(NodeProto node)
    {
        var operand = Value(node, 0);
        var target = _graph.Contents(node.InputAt(1)) ?? throw Refuse("the shape is not constant");
        var full = operand.Full;
        var rowAxis = Array.FindIndex(target, size => size.Size is null);
        if (rowAxis < 0 && node.Integer("allowzero", 0) == 0 && operand.RowAxis < target.Length && target[operand.RowAxis].Size == 0)
            rowAxis = operand.RowAxis;
        if (rowAxis < 0) rowAxis = Array.FindIndex(target, size => size.Size == -1);
        if (rowAxis < 0) throw Refuse($"the shape [{string.Join(", ", target)}] has a fixed number of rows");
        var sizes = new List<int>();
        var open = -1;
        for (var i = 0; i < target.Length; i++)
        {
            if (i == rowAxis) continue;
            var size = target[i].Size ?? throw Refuse("the shape has several open sizes");
            if (size == -1) open = sizes.Count;
            sizes.Add(size == 0 && i < full.Length ? full[i] : checked((int)size));
        }

        if (open >= 0)
        {
            sizes[open] = 1;
            sizes[open] = operand.Count / Math.Max(Operand.Product([.. sizes], 0, sizes.Count), 1);
        }

        int[] result = [.. sizes];
        if (result.Any(size => size <= 0) || Operand.Product(result, 0, result.Length) != operand.Count
            || Operand.Product(result, 0, rowAxis) != Operand.Product(operand.Sizes, 0, operand.RowAxis))
            throw Refuse($"the shape [{string.Join(", ", target)}] mixes rows with their numbers");
        Alias(node, operand, result, rowAxis);
    }

    private void Squeeze(NodeProto node)
    {
        var operand = Value(node, 0);
        var given = Integers(node, "axes", 1) ?? throw Refuse("it does not say which axes");
        var axes = given.Select(axis => AxisOfRow(operand, axis)).ToHashSet();
        if (axes.Any(axis => operand.Sizes[axis] != 1)) throw Refuse("an axis is longer than 1");
        int[] sizes = [.. operand.Sizes.Where((_, axis) => !axes.Contains(axis))];
        Alias(node, operand, sizes, operand.RowAxis - axes.Count(axis => axis < operand.RowAxis));
    }

    private void Unsqueeze(NodeProto node)
    {
        var operand = Value(node, 0);
        var given = Integers(node, "axes", 1) ?? throw Refuse("it does not say which axes");
        var rank = operand.Rank + given.Length;
        var axes = given.Select(axis => Axis(axis, rank)).ToHashSet();
        var (sizes, rowAxis, next) = (new List<int>(), -1, 0);
        for (var i = 0; i < rank; i++)
        {
            if (axes.Contains(i)) sizes.Add(1);
            else if (next == operand.RowAxis && rowAxis < 0) rowAxis = i;
            else sizes.Add(operand.Sizes[next++]);
        }

        Alias(node, operand, [.. sizes], rowAxis);
    }

    private void Transpose(NodeProto node)
    {
        var operand = Value(node, 0);
        int[] order = node.Integers("perm") is { } perm
            ? [.. perm.Select(axis => Axis(axis, operand.Rank))]
            : [.. Enumerable.Range(0, operand.Rank).Reverse()];
        int[] ofRow = [.. order.Where(axis => axis != operand.RowAxis).Select(axis => AxisOfRow(operand, axis))];
        int[] sizes = [.. ofRow.Select(axis => operand.Sizes[axis])];
        int[] strides = [.. ofRow.Select(axis => Operand.Product(operand.Sizes, axis + 1, operand.Sizes.Length))];
        Define(node, Taken(operand, Columns(sizes, strides), sizes, Array.IndexOf(order, operand.RowAxis)));
    }

    // Where the elements of a tensor of some sizes lie in another one.
    private static int[] Columns(int[] sizes, int[] strides)
    {
        var result = new int[Operand.Product(sizes, 0, sizes.Length)];
        for (var i = 0; i < result.Length; i++)
        {
            var rest = i;
            for (var axis = sizes.Length - 1; axis >= 0; axis--)
            {
                result[i] += rest % sizes[axis] * strides[axis];
                rest /= sizes[axis];
            }
        }

        return result;
    }

    private void Gather(NodeProto node)
    {
        var (data, indices) = (Find(node.InputAt(0)), Find(node.InputAt(1)));
        if (data.Constant is { } table && indices.Slot is { } from)
        {
            if (indices.Kind != OperandKind.Whole || Axis(node.Integer("axis", 0), data.Rank) != 0)
                throw Refuse("it is not along the first axis");
            var result = Make([.. indices.Sizes, .. data.Sizes[1..]], indices.RowAxis, data.Kind);
            foreach (var origin in _origins.GetValueOrDefault(from) ?? [])
                Codes[origin] = Codes[origin] == 0 ? data.Sizes[0] : Math.Min(Codes[origin], data.Sizes[0]);
            Steps.Add(new LookupStep(from, new AlignedNumbers(table), data.Sizes[0], result.Slot!));
            Define(node, result);
            return;
        }

        if (indices.Constant is not { } chosen || data.Slot is null) throw Refuse("neither the table nor the indexes are constant");
        var axis = AxisOfRow(data, node.Integer("axis", 0));
        var size = data.Sizes[axis];
        int[] entries = [.. chosen.Select(index => (int)(index < 0 ? index + size : index))];
        if (entries.Any(entry => entry < 0 || entry >= size)) throw Refuse("an index is out of range");
        Define(node, TakenAlong(data, axis, entries, indices.Sizes));
    }

    // Entries along an axis, which is replaced by others.
    private Operand TakenAlong(Operand data, int axis, int[] entries, int[] sizes)
    {
        var inner = Operand.Product(data.Sizes, axis + 1, data.Sizes.Length);
        var (outer, columns) = (Operand.Product(data.Sizes, 0, axis), new List<int>());
        for (var i = 0; i < outer; i++)
            foreach (var entry in entries)
                for (var j = 0; j < inner; j++) columns.Add((((i * data.Sizes[axis]) + entry) * inner) + j);
        var rowAxis = axis < data.RowAxis ? data.RowAxis + sizes.Length - 1 : data.RowAxis;
        return Taken(data, [.. columns], [.. data.Sizes[..axis], .. sizes, .. data.Sizes[(axis + 1)..]], rowAxis);
    }

    private void Concat(NodeProto node)
    {
        Operand[] parts = [.. node.Input.Select((_, input) => Value(node, input))];
        var first = parts[0];
        var axis = AxisOfRow(first, node.Integer("axis", 0));
        if (parts.Any(part => part.RowAxis != first.RowAxis || part.Rank != first.Rank || part.Kind != first.Kind))
            throw Refuse("its inputs have rows in different places, or are of different types");
        int[] sizes = [.. first.Sizes];
        sizes[axis] = parts.Sum(part => part.Sizes[axis]);
        var result = Make(sizes, first.RowAxis, first.Kind);
        Steps.Add(new CopyStep(Joined(parts, axis), result.Slot!));
        Define(node, result);
    }

    private static (Slot From, int Column)[] Joined(Operand[] parts, int axis)
    {
        var columns = new List<(Slot, int)>();
        for (var i = 0; i < Operand.Product(parts[0].Sizes, 0, axis); i++)
        {
            foreach (var part in parts)
            {
                var run = Operand.Product(part.Sizes, axis, part.Sizes.Length);
                for (var j = 0; j < run; j++) columns.Add((part.Slot!, (i * run) + j));
            }
        }

        return [.. columns];
    }

    private void Split(NodeProto node)
    {
        var operand = Value(node, 0);
        var axis = AxisOfRow(operand, node.Integer("axis", 0));
        var outputs = node.Output.Count;
        var even = (operand.Sizes[axis] + outputs - 1) / outputs;
        var start = 0;
        var sizes = Integers(node, "split", 1)
            ?? [.. Enumerable.Range(0, outputs).Select(output => Math.Min(even, operand.Sizes[axis] - (output * even)))];
        for (var output = 0; output < outputs; start += sizes[output++])
            if (_needed.Contains(node.Output[output]))
                Define(node, TakenAlong(operand, axis, [.. Enumerable.Range(start, sizes[output])], [sizes[output]]), output);
    }

    private void Slice(NodeProto node)
    {
        var operand = Value(node, 0);
        var starts = Integers(node, "starts", 1) ?? throw Refuse("it does not say where it starts");
        var ends = Integers(node, "ends", 2) ?? throw Refuse("it does not say where it ends");
        var axes = Integers(node, "axes", 3) ?? [.. Enumerable.Range(0, starts.Length)];
        var steps = Integers(node, "steps", 4) ?? [.. Enumerable.Repeat(1, starts.Length)];
        for (var i = 0; i < starts.Length; i++)
        {
            var axis = AxisOfRow(operand, axes[i]);
            var (size, step) = (operand.Sizes[axis], steps[i]);
            if (step < 1) throw Refuse("it goes backwards");
            var (start, end) = (From(starts[i], size), From(ends[i], size));
            int[] entries = [.. Enumerable.Range(0, size).Where(entry => entry >= start && entry < end && (entry - start) % step == 0)];
            if (entries.Length == 0) throw Refuse("nothing is left");
            operand = TakenAlong(operand, axis, entries, [entries.Length]);
        }

        Define(node, operand);

        static int From(int place, int size) => Math.Clamp(place < 0 ? place + size : place, 0, size);
    }

    private void Cast(NodeProto node)
    {
        var operand = Value(node, 0);
        var to = (DataType)node.Integer("to", 0) switch
        {
            DataType.Float => OperandKind.Real,
            DataType.Int64 or DataType.Int32 => OperandKind.Whole,
            DataType.Bool => OperandKind.Bit,
            var other => throw Refuse($"to {other}"),
        };
        if (operand.Kind == OperandKind.Real && to == OperandKind.Whole)
        {
            var whole = Make(operand.Sizes, operand.RowAxis, to);
            Steps.Add(new WholeStep(operand.Slot!, whole.Slot!));
            if (_origins.TryGetValue(operand.Slot!, out var origins)) _origins.Add(whole.Slot!, origins);
            Define(node, whole);
        }
        else if (to == OperandKind.Bit && operand.Kind != to)
        {
            var isZero = Mapped(operand, MapKind.Not);
            Define(node, Mapped(isZero, MapKind.Not) with { Kind = to });
        }
        else
        {
            Define(node, operand with { Kind = to });
        }
    }
}
