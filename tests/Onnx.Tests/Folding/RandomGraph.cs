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
    private readonly FoldCase _case;
    private readonly List<(Value Value, long[] Shape)> _values = [];
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);

    private RandomGraph(DataType type)
    {
        _case = new FoldCase(type: type);
        _values.Add((_case.Graph.Input("image", type, 2, 4, 6, 6), [2, 4, 6, 6]));
        _values.Add((_case.Graph.Input("row", type, 2, 4), [2, 4]));
    }

    /// <summary>The graph of a list of steps, all of its numbers of one type.</summary>
    public static ModelProto From(IEnumerable<int> steps, DataType type = DataType.Float)
    {
        var graph = new RandomGraph(type);
        foreach (var step in steps) graph.Step((uint)step);
        // Whatever nobody has read is an output; so, now and then, is something in between.
        var outputs = graph._values.Where((value, index) => !graph._read.Contains(value.Value.Name) || index % 7 == 6).ToList();
        for (var i = 0; i < outputs.Count; i++)
            graph._case.Graph.Output(
                $"y{i}", graph._case.Graph.Node("Identity", [outputs[i].Value]), type,
                [.. outputs[i].Shape.Select(size => (TensorDimension)size)]);
        return graph._case.Graph.Build();
    }

    private void Step(uint code)
    {
        var operation = code % 43;
        var choice = code / 43;
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
            case 9 when image && shape[2] > 2 && shape[3] > 2:
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
            case 19 when image && shape[2] < 12:
                Resize(x, shape, choice);
                break;
            case 20 when image && channels % 4 == 0:
                Add(
                    _case.Graph.Node("DepthToSpace", [x], ("blocksize", 2), ("mode", choice % 2 == 0 ? "DCR" : "CRD")), x,
                    [shape[0], channels / 4, shape[2] * 2, shape[3] * 2]);
                break;
            case 21 when image && shape[2] % 2 == 0 && shape[3] % 2 == 0 && channels < 10:
                Add(
                    _case.Graph.Node("SpaceToDepth", [x], ("blocksize", 2)), x, [shape[0], channels * 4, shape[2] / 2, shape[3] / 2]);
                break;
            case 22 or 23 when channels > 1:
                Split(x, shape, choice);
                break;
            case 24 when channels > 2:
                Slice(x, shape, choice);
                break;
            case 25 when channels > 1:
                // Channels turned round, or every other one.
                long[] picks = choice % 2 == 0
                    ? [.. Enumerable.Range(0, channels).Select(i => (long)channels - 1 - i)]
                    : [.. Enumerable.Range(0, channels).Where(i => i % 2 == 0).Select(i => (long)i - channels)];
                Add(_case.Graph.Node("Gather", [x, _case.Graph.Integers(picks)], ("axis", 1)), x, [shape[0], picks.Length, .. shape[2..]]);
                break;
            case 26 when image:
                Add(
                    choice % 2 == 0
                        ? _case.Graph.Node("ReduceSum", [x, _case.Graph.Integers(2, 3)], ("keepdims", 0))
                        : _case.Graph.Node("ReduceMax", [x], ("axes", new long[] { 2, 3 }), ("keepdims", 0)),
                    x, [shape[0], shape[1]]);
                break;
            case 27 when image && shape[2] == 1 && shape[3] == 1:
                Add(_case.Graph.Node("Expand", [x, _case.Graph.Integers(1, 1, 3, 2)]), x, [shape[0], shape[1], 3, 2]);
                break;
            case 28 when channels < 10:
                var times = choice % 2 == 0 ? 2L : 1;
                Add(
                    _case.Graph.Node("Tile", [x, _case.Graph.Integers([1, times, .. shape[2..].Select(_ => 1L)])]), x,
                    [shape[0], channels * times, .. shape[2..]]);
                break;
            case 29:
                Add(_case.Graph.Node("Neg", [x]), x, shape);
                break;
            case 30 or 31:
                Value[] bounds = (choice % 3) switch
                {
                    0 => [_case.WeightBetween(-0.5, -0.1, "low"), _case.WeightBetween(0.1, 0.9, "high")],
                    1 => [_case.WeightBetween(-0.5, -0.1, "low")],
                    _ => [Value.None, _case.WeightBetween(0.1, 0.9, "high")],
                };
                Add(_case.Graph.Node("Clip", [x, .. bounds]), x, shape);
                break;
            case 32 or 33:
                Add(
                    _case.Graph.Node(
                        "Einsum", [x, _case.Weight("w", channels, 4)],
                        ("equation", image ? "nchw,co->nohw" : choice % 2 == 0 ? "ni,io" : "ni,io->no")),
                    x, [shape[0], 4, .. shape[2..]]);
                break;
            case 34 or 35 when image:
                Computed(x, shape, choice);
                break;
            case 36 or 37:
                var k = _case.WeightBetween(0.5, 2, "k", Along(shape, 1));
                var scaled = _case.Graph.Node(choice % 2 == 0 ? "Mul" : "Div", [x, k]);
                Add(_case.Graph.Node(choice % 3 == 0 ? "Sub" : "Add", [scaled, _case.Weight("c", Along(shape, 1))]), x, shape);
                break;
            case 38:
                Ghosts(x, shape, choice % 2 == 0);
                break;
            case 39 when image && shape[2] < 8:
                var group = channels % 2 == 0 && choice % 2 == 0 ? 2L : 1;
                Add(
                    _case.Graph.Node("ConvTranspose", [x, _case.Weight("w", channels, 2, 2, 2)], ("group", group)), x,
                    [shape[0], 2 * group, shape[2] + 1, shape[3] + 1]);
                break;
            case 40:
                Add(_case.Graph.Node("PRelu", [x, _case.Weight("slope", Along(shape, 1))]), x, shape);
                break;
            case 41 or 42 when choice % 2 == 0:
                Add(_case.Graph.Node("Tanh", [x]), x, shape);
                break;
            default:
                // What does not fit is a layer with a batch normalization, so that there is something to fold.
                if (image) Conv(x, shape, choice);
                else Add(_case.Graph.Node("MatMul", [x, _case.Weight("w", channels, 4)]), x, [shape[0], 4]);
                var (layer, size) = _values[^1];
                if (choice % 2 == 0) Add(_case.BatchNorm(layer, (int)size[1], positive: choice % 4 == 0), layer, size);
                break;
        }
    }

    private void Resize(Value x, long[] shape, uint choice)
    {
        var scales = _case.Graph.Initializer(TensorData.Create("scales", [1f, 1, 2, 1.5f], 4));
        var isNearest = choice % 2 == 0;
        Add(
            _case.Graph.Node(
                "Resize", [x, Value.None, scales], ("mode", isNearest ? "nearest" : "linear"),
                ("coordinate_transformation_mode", isNearest ? "asymmetric" : "half_pixel"), ("nearest_mode", "floor")),
            x, [shape[0], shape[1], shape[2] * 2, (long)Math.Floor(shape[3] * 1.5f)]);
    }

    private void Split(Value x, long[] shape, uint choice)
    {
        var first = 1 + (choice % (uint)(shape[1] - 1));
        var axis = choice % 2 == 0 ? 1 : 1 - shape.Length;
        var parts = _case.Graph.Nodes("Split", [x, _case.Graph.Integers(first, shape[1] - first)], 2, ("axis", axis));
        Add(parts[0], x, [shape[0], first, .. shape[2..]]);
        Add(parts[1], x, [shape[0], shape[1] - first, .. shape[2..]]);
    }

    // Two parts of the channels side by side, or one of the locations.
    private void Slice(Value x, long[] shape, uint choice)
    {
        Value Part(long start, long end, long axis, long step) => _case.Graph.Node(
            "Slice",
            [x, _case.Graph.Integers(start), _case.Graph.Integers(end), _case.Graph.Integers(axis), _case.Graph.Integers(step)]);
        if (choice % 3 == 0 && shape.Length == 4 && shape[2] > 2)
        {
            Add(Part(1, -1, 2, 1), x, [shape[0], shape[1], shape[2] - 2, shape[3]]);
            return;
        }

        var start = choice % 2 == 0 ? 2 : 1;
        Add(Part(0, 2, 1, 1), x, [shape[0], 2, .. shape[2..]]);
        Add(Part(long.MaxValue, start - 1, 1, -1), x, [shape[0], shape[1] - start, .. shape[2..]]);
    }

    // Weights that the model computes, as normalized ones are.
    private void Computed(Value x, long[] shape, uint choice)
    {
        var w = _case.Weight("w", 3, shape[1], 1, 1);
        var divisor = choice % 2 == 0
            ? _case.Graph.Node("ReduceL2", [w], ("axes", new long[] { 1, 2, 3 }), ("keepdims", 1))
            : _case.Graph.Node("Sqrt", [_case.WeightBetween(0.5, 2, "sigma")]);
        Add(_case.Graph.Node("Conv", [x, _case.Graph.Node("Div", [w, divisor])]), x, [shape[0], 3, .. shape[2..]]);
    }

    // The two rows of the batch, normalized each by itself, with the same statistics or others.
    private void Ghosts(Value x, long[] shape, bool same)
    {
        var parts = _case.Graph.Nodes("Split", [x, _case.Graph.Integers(1, 1)], 2, ("axis", 0));
        Value[] Parameters() =>
        [
            _case.WeightBetween(0.5, 1.5, "gamma", shape[1]), _case.Weight("beta", shape[1]), _case.Weight("mean", shape[1]),
            _case.WeightBetween(0.3, 2, "variance", shape[1]),
        ];
        var shared = Parameters();
        var a = _case.Graph.Node("BatchNormalization", [parts[0], .. shared]);
        var b = _case.Graph.Node("BatchNormalization", [parts[1], .. same ? shared : Parameters()]);
        Add(_case.Graph.Node("Concat", [a, b], ("axis", 0)), x, shape);
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
