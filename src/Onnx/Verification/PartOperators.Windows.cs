using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>Reductions over axes and over windows.</summary>
internal static partial class PartOperators
{
    private static void AddReductions(Dictionary<string, Func<PartOperator, IReadOnlyList<ExactTensor>>> all)
    {
        all.Add("ReduceSum", node => Reduce(node, values => values.Sum()));
        all.Add("ReduceMean", node => Reduce(node, values => values.Average()));
        all.Add("ReduceMax", node => Reduce(node, values => values.Max()));
        all.Add("ReduceMin", node => Reduce(node, values => values.Min()));
        all.Add("ReduceProd", node => Reduce(node, values => values.Aggregate(1.0, (product, value) => product * value)));
        all.Add("ReduceL1", node => Reduce(node, values => values.Sum(Math.Abs)));
        all.Add("ReduceL2", node => Reduce(node, values => Math.Sqrt(values.Sum(value => value * value))));
        all.Add("ReduceSumSquare", node => Reduce(node, values => values.Sum(value => value * value)));
        all.Add("GlobalAveragePool", node => Reduce(node[0], [.. Enumerable.Range(2, node[0].Rank - 2)], true, values => values.Average()));
        all.Add("GlobalMaxPool", node => Reduce(node[0], [.. Enumerable.Range(2, node[0].Rank - 2)], true, values => values.Max()));
        all.Add("AveragePool", node => [Pool(node, isMax: false)]);
        all.Add("MaxPool", node => [Pool(node, isMax: true)]);
    }

    private static IReadOnlyList<ExactTensor> Reduce(PartOperator node, Func<IEnumerable<double>, double> reduce)
    {
        var axes = node.Integers("axes", 1) ?? [];
        // No axes means all of them, unless an attribute says none.
        if (axes.Length == 0 && node.Node.Integer("noop_with_empty_axes", 0) != 0) return [node[0]];
        if (axes.Length == 0) axes = [.. Enumerable.Range(0, node[0].Rank)];
        return Reduce(node[0], axes, node.Node.Integer("keepdims", 1) != 0, reduce);
    }

    private static IReadOnlyList<ExactTensor> Reduce(ExactTensor x, int[] axes, bool keepsAxes, Func<IEnumerable<double>, double> reduce)
    {
        var reduced = axes.Select(axis => x.Axis(axis)).ToHashSet();
        int[] order = [.. Enumerable.Range(0, x.Rank).OrderBy(axis => reduced.Contains(axis))];
        var count = reduced.Aggregate(1, (product, axis) => product * x.Shape[axis]);
        // The reduced axes last, so that what comes together lies together.
        var moved = Picked(x, [.. order.Select(axis => x.Shape[axis])], at =>
        {
            var from = new int[at.Length];
            for (var axis = 0; axis < at.Length; axis++) from[order[axis]] = at[axis];
            return from;
        });
        var axesLeft = Enumerable.Range(0, x.Rank);
        int[] shape = keepsAxes
            ? [.. axesLeft.Select(axis => reduced.Contains(axis) ? 1 : x.Shape[axis])]
            : [.. axesLeft.Where(axis => !reduced.Contains(axis)).Select(axis => x.Shape[axis])];
        return [new ExactTensor(shape, [.. moved.Data.Chunk(Math.Max(count, 1)).Select(reduce)])];
    }

    private static ExactTensor Pool(PartOperator node, bool isMax)
    {
        var x = node[0];
        var kernel = node.Node.Integers("kernel_shape") ?? throw new ArgumentException("The kernel's shape is missing.");
        var window = Window.Of(node.Node, x, [.. kernel.Select(size => (int)size)]);
        var countsPadding = node.Node.Integer("count_include_pad", 0) != 0;
        var (planes, size) = (x.Shape[0] * x.Shape[1], x.Product(2, x.Rank));
        var result = new double[planes * window.Locations];
        for (var location = 0; location < window.Locations; location++)
        {
            var taps = window.Taps(location);
            var inside = taps.Where(tap => tap >= 0).ToList();
            var count = countsPadding ? taps.Length - window.BeyondPadding(location) : inside.Count;
            for (var plane = 0; plane < planes; plane++)
            {
                var values = inside.Select(tap => x.Data[(plane * size) + tap]);
                result[(plane * window.Locations) + location] = isMax
                    ? values.Aggregate(double.NegativeInfinity, Math.Max)
                    : values.Sum() / Math.Max(count, 1);
            }
        }

        return new ExactTensor([x.Shape[0], x.Shape[1], .. window.Output], result);
    }

    /// <summary>Where a window lies on the locations of a tensor of shape [N, C, D1, …].</summary>
    private sealed class Window
    {
        private readonly int[] _input;
        private readonly int[] _kernel;
        private readonly int[] _strides;
        private readonly int[] _dilations;
        private readonly int[] _begin;
        private readonly int[] _end;

        private Window(NodeProto node, int[] input, int[] kernel)
        {
            (_input, _kernel) = (input, kernel);
            var rank = kernel.Length;
            _strides = Attribute("strides", 1);
            _dilations = Attribute("dilations", 1);
            var auto = node.Text("auto_pad", "NOTSET");
            int[] pads = node.Integers("pads") is { } given ? [.. given.Select(pad => (int)pad)] : new int[2 * rank];
            var ceils = node.Integer("ceil_mode", 0) != 0;
            (_begin, _end, Output) = (new int[rank], new int[rank], new int[rank]);
            for (var i = 0; i < rank; i++)
            {
                var extent = ((kernel[i] - 1) * _dilations[i]) + 1;
                if (auto is "SAME_UPPER" or "SAME_LOWER")
                {
                    Output[i] = (input[i] + _strides[i] - 1) / _strides[i];
                    var total = Math.Max(0, ((Output[i] - 1) * _strides[i]) + extent - input[i]);
                    _begin[i] = auto == "SAME_LOWER" ? (total + 1) / 2 : total / 2;
                    _end[i] = total - _begin[i];
                    continue;
                }

                if (auto != "VALID") (_begin[i], _end[i]) = (pads[i], pads[i + rank]);
                var room = input[i] + _begin[i] + _end[i] - extent;
                if (room < 0) throw new ArgumentException("A window is larger than what it moves over.");
                Output[i] = (ceils ? (room + _strides[i] - 1) / _strides[i] : room / _strides[i]) + 1;
                // No window begins in the padding behind.
                if (ceils && (Output[i] - 1) * _strides[i] >= input[i] + _begin[i]) Output[i]--;
            }

            Locations = Output.Aggregate(1, (product, size) => product * size);

            int[] Attribute(string name, int otherwise) => node.Integers(name) is { } values
                ? [.. values.Select(value => (int)value)]
                : [.. Enumerable.Repeat(otherwise, rank)];
        }

        /// <summary>The sizes of what comes out.</summary>
        public int[] Output { get; }

        /// <summary>How many locations come out.</summary>
        public int Locations { get; }

        public static Window Of(NodeProto node, ExactTensor x, int[] kernel) => x.Rank == kernel.Length + 2
            ? new Window(node, x.Shape[2..], kernel)
            : throw new ArgumentException($"A kernel of {kernel.Length} dimensions does not fit a tensor of {x.Rank}.");

        /// <summary>The locations that each tap sees; −1 where that is padding.</summary>
        public int[] Taps(int location)
        {
            var first = First(location);
            var taps = new int[_kernel.Aggregate(1, (product, size) => product * size)];
            var at = new int[_kernel.Length];
            for (var tap = 0; tap < taps.Length; tap++)
            {
                var index = 0;
                for (var i = 0; i < at.Length && index >= 0; i++)
                {
                    var place = first[i] + (at[i] * _dilations[i]);
                    index = place < 0 || place >= _input[i] ? -1 : (index * _input[i]) + place;
                }

                taps[tap] = index;
                for (var i = at.Length - 1; i >= 0 && ++at[i] == _kernel[i]; i--) at[i] = 0;
            }

            return taps;
        }

        /// <summary>How many taps lie beyond even the padding, which only a size that was rounded up can bring.</summary>
        public int BeyondPadding(int location)
        {
            var first = First(location);
            var within = 1;
            for (var i = 0; i < first.Length; i++)
                within *= Enumerable.Range(0, _kernel[i]).Count(tap => first[i] + (tap * _dilations[i]) < _input[i] + _end[i]);
            return _kernel.Aggregate(1, (product, size) => product * size) - within;
        }

        private int[] First(int location)
        {
            var first = new int[_kernel.Length];
            for (var i = first.Length - 1; i >= 0; i--)
            {
                first[i] = (location % Output[i] * _strides[i]) - _begin[i];
                location /= Output[i];
            }

            return first;
        }
    }
}
