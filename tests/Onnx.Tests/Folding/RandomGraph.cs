using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Tests.Folding;

/// <summary>
/// A graph that a list of numbers describes: each number is a step that takes values made before and makes a new one. Shorter lists are
/// smaller graphs, so a failing one shrinks to its core.
/// </summary>
internal sealed class RandomGraph
{
    private readonly FoldCase _case = new();
    private readonly List<(Value Value, long[] Shape)> _values = [];
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);

    private RandomGraph()
    {
        _values.Add((_case.Graph.Input("image", DataType.Float, 2, 4, 6, 6), [2, 4, 6, 6]));
        _values.Add((_case.Graph.Input("row", DataType.Float, 2, 4), [2, 4]));
    }

    public static ModelProto From(IEnumerable<int> steps)
    {
        var graph = new RandomGraph();
        foreach (var step in steps) graph.Step((uint)step);
        // Whatever nobody has read is an output; so, now and then, is something in between.
        var outputs = graph._values.Where((value, index) => !graph._read.Contains(value.Value.Name) || index % 7 == 6).ToList();
        for (var i = 0; i < outputs.Count; i++)
            graph._case.Graph.Output(
                $"y{i}", graph._case.Graph.Node("Identity", [outputs[i].Value]), DataType.Float,
                [.. outputs[i].Shape.Select(size => (TensorDimension)size)]);
        return graph._case.Graph.Build();
    }

    private void Step(uint code)
    {
        var operation = code % 19;
        var choice = code / 19;
        // Mostly the newest value, so that chains grow; sometimes an older one, so that values are read twice.
        var (x, shape) = _values[choice % 3 != 0 ? _values.Count - 1 : (int)(choice / 3 % (uint)_values.Count)];
        var (channels, image) = ((int)shape[1], shape.Length == 4);
        switch (operation)
        {
            case 0 or 1 or 2 or 3:
                Add(_case.BatchNorm(x, channels, positive: choice % 2 == 0), x, shape);
                break;
            case 4 or 5 when image:
                Conv(x, shape, choice);
                break;
            case 4 or 5 when choice % 2 == 0:
                Add(
                    _case.Graph.Node(
                        "Gemm", [x, _case.Weight("w", 5, channels), _case.Weight("c", 5)], ("transB", 1), ("alpha", 0.5f), ("beta", 2f)),
                    x, [shape[0], 5]);
                break;
            case 4 or 5:
                Add(_case.Graph.Node("MatMul", [x, _case.Weight("w", channels, 3)]), x, [shape[0], 3]);
                break;
            case 6:
                Add(_case.Graph.Node(choice % 2 == 0 ? "Relu" : "LeakyRelu", [x]), x, shape);
                break;
            case 7:
                Add(
                    _case.Graph.Node(choice % 2 == 0 ? "Mul" : "Div", [x, _case.WeightBetween(0.5, 2, "k", Along(shape, choice))]), x,
                    shape);
                break;
            case 8:
                Add(_case.Graph.Node(choice % 2 == 0 ? "Add" : "Sub", [x, _case.Weight("k", Along(shape, choice))]), x, shape);
                break;
            case 9 when image && shape[2] > 2:
                Add(
                    _case.Graph.Node(choice % 2 == 0 ? "MaxPool" : "AveragePool", [x], ("kernel_shape", new long[] { 2, 2 })), x,
                    [shape[0], shape[1], shape[2] - 1, shape[3] - 1]);
                break;
            case 10 when image:
                Add(_case.Graph.Node("Flatten", [x]), x, [shape[0], shape[1] * shape[2] * shape[3]]);
                break;
            case 11 when image:
                Add(_case.Graph.Node("ReduceMean", [x], ("axes", new long[] { 2, 3 }), ("keepdims", 0)), x, [shape[0], shape[1]]);
                break;
            case 12 or 13:
                Join(x, shape, choice);
                break;
            case 14 when image:
                Add(_case.Graph.Node("Transpose", [x], ("perm", new long[] { 0, 1, 3, 2 })), x, [shape[0], shape[1], shape[3], shape[2]]);
                break;
            case 15 when !image:
                Add(_case.Graph.Node("Unsqueeze", [x, _case.Graph.Integers(2, 3)]), x, [shape[0], shape[1], 1, 1]);
                break;
            case 16 when image && shape[2] > 1 && shape[3] > 1:
                Add(
                    _case.Graph.Node(
                        "Pad", [x, _case.Graph.Integers(0, 0, 1, 1, 0, 0, 1, 0)], ("mode", choice % 2 == 0 ? "reflect" : "constant")),
                    x, [shape[0], shape[1], shape[2] + 2, shape[3] + 1]);
                break;
            case 18:
                Add(_case.Graph.Node(choice % 2 == 0 ? "Max" : "Min", [x, _case.Weight("k", Along(shape, choice))]), x, shape);
                break;
            default:
                Add(_case.Graph.Node("Tanh", [x]), x, shape);
                break;
        }
    }

    private void Conv(Value x, long[] shape, uint choice)
    {
        var channels = shape[1];
        var depthwise = choice % 4 == 0;
        var (kernel, pad) = choice % 3 == 0 || shape[2] < 3 || shape[3] < 3 ? (1, 0) : (3, (int)(choice / 4 % 2));
        var outputs = depthwise ? channels : 1 + (choice / 8 % 6);
        Value[] inputs = [x, _case.Weight("w", outputs, depthwise ? 1 : channels, kernel, kernel)];
        if (choice % 5 < 2) inputs = [.. inputs, _case.Weight("b", outputs)];
        var y = _case.Graph.Node("Conv", inputs, ("group", depthwise ? channels : 1L), ("pads", new long[] { pad, pad, pad, pad }));
        Add(y, x, [shape[0], outputs, shape[2] + (2 * pad) - kernel + 1, shape[3] + (2 * pad) - kernel + 1]);
    }

    // Adds a value of the same shape, or joins one along the channels.
    private void Join(Value x, long[] shape, uint choice)
    {
        var same = _values.FindLast(value => value.Value != x && value.Shape.SequenceEqual(shape));
        var wide = _values.FindLast(
            value =>
                value.Value != x && value.Shape.Length == shape.Length
                    && value.Shape.Where((_, axis) => axis != 1).SequenceEqual(shape.Where((_, axis) => axis != 1)));
        if (choice % 2 == 0 && same.Shape is not null)
        {
            _read.Add(same.Value.Name);
            Add(_case.Graph.Node(choice % 4 == 0 ? "Add" : "Mul", [x, same.Value]), x, shape);
        }
        else if (wide.Shape is not null && wide.Shape[1] + shape[1] < 40)
        {
            _read.Add(wide.Value.Name);
            Add(_case.Graph.Node("Concat", [x, wide.Value], ("axis", 1)), x, [shape[0], shape[1] + wide.Shape[1], .. shape[2..]]);
        }
    }

    private static long[] Along(long[] shape, uint choice) => (choice % 3) switch
    {
        0 => [],
        1 => [shape[1], .. Enumerable.Repeat(1L, shape.Length - 2)],
        _ => [1, 1, .. Enumerable.Repeat(1L, shape.Length - 2)],
    };

    private void Add(Value y, Value x, long[] shape)
    {
        _read.Add(x.Name);
        _values.Add((y, shape));
    }
}
