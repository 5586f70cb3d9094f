using System.Globalization;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>
/// float16 in the file only: each weight becomes a float16 constant and a Cast that makes the float32 value of the old name, so that nobody
/// who reads it notices. Runtimes compute the Casts once, when they load the model. A weight some of whose rows are too large or too small
/// for float16 (those of a feature in millions) is stored with a power of two for each row, which is multiplied back behind the Cast.
/// Vectors (biases, means, scales) stay float32: they are few, and they are where digits matter.
/// </summary>
internal sealed class Float16Storage : PrecisionScheme
{
    // Below, the new nodes take more room than the weight gives.
    private const int SmallestWeight = 64;

    // Before that, Cast names its type by a text, and Mul does not broadcast a column.
    public override long LeastOpset => 7;

    public override IReadOnlyList<PrecisionOutcome> Apply(ModelEditor editor, CalibrationRows rows)
    {
        var graph = editor.Main;
        var inputs = graph.Proto.Input.ToDictionary(input => input.Name, StringComparer.Ordinal);
        var outcomes = new List<PrecisionOutcome>();
        NodeProto? place = null;
        foreach (var tensor in graph.Proto.Initializer.Where(IsWeight).ToList())
        {
            if (WhyFixed(tensor.Name, inputs.GetValueOrDefault(tensor.Name), editor) is { } reason)
            {
                outcomes.Add(new PrecisionOutcome(tensor.Name, false, reason));
                continue;
            }

            var widening = new List<NodeProto>();
            if (Store(tensor, tensor.Name, editor, outcomes, widening) is not { } half) continue;
            graph.ReplaceConstant(tensor.Name, half);
            place = AddBehind(place, widening, graph);
        }

        foreach (var node in graph.Nodes.ToList())
        {
            if (!node.Is("Constant") || node.Attribute("value") is not { T: { } tensor } attribute || !IsWeight(tensor)) continue;
            var (value, widening) = (node.Output[0], new List<NodeProto>());
            if (Store(tensor, value, editor, outcomes, widening) is not { } half) continue;
            attribute.T = half;
            graph.SetOutput(node, 0, half.Name);
            AddBehind(node, widening, graph);
        }

        foreach (var tensor in editor.Graphs.Skip(1).SelectMany(inner => inner.Proto.Initializer).Where(IsWeight))
            outcomes.Add(new PrecisionOutcome(tensor.Name, false, "it stands in a subgraph"));
        return outcomes;
    }

    private static NodeProto? AddBehind(NodeProto? place, List<NodeProto> nodes, OnnxGraph graph)
    {
        foreach (var node in nodes)
        {
            graph.AddBehind(place, node);
            place = node;
        }

        return place;
    }

    private static bool IsWeight(TensorProto tensor) =>
        (DataType)tensor.DataType == DataType.Float && tensor.Dims.Count(size => size > 1) >= 2
            && TensorData.ElementCount(tensor.Dims, tensor.Name) >= SmallestWeight;

    private static string? WhyFixed(string name, ValueInfoProto? input, ModelEditor editor) =>
        editor.Trained.Contains(name) ? "the model's training part changes it"
        : input is not null && !editor.InitializersAreInputs ? "it is also a graph input, which callers may override"
        : null;

    // The constant to store, and the nodes that make the float32 value of it; null when it must stay as it is.
    private static TensorProto? Store(
        TensorProto tensor, string name, ModelEditor editor, List<PrecisionOutcome> outcomes, List<NodeProto> nodes)
    {
        if (RealTensor.From(tensor) is not { } weight)
        {
            outcomes.Add(new PrecisionOutcome(name, false, "it is too large to be looked at, or not in the file"));
            return null;
        }

        var reason = Float16Range.WhyNot(weight);
        var scaling = reason is null ? null : RowScaling.Find(weight);
        var detail = scaling is null ? reason ?? string.Empty : $"with a power of two for each entry of its axis {scaling.Axis}";
        outcomes.Add(new PrecisionOutcome(name, reason is null || scaling is not null, detail));
        if (reason is not null && scaling is null) return null;
        var half = Float16Range.Convert(scaling?.Scaled ?? weight, editor.Names.Fresh($"{name}_float16"));
        if (scaling is null)
        {
            nodes.Add(CastNode.Create(half.Name, name, DataType.Float, editor));
            return half;
        }

        var wide = editor.Names.Fresh($"{name}_scaled");
        nodes.Add(CastNode.Create(half.Name, wide, DataType.Float, editor));
        var factors = editor.Main.AddConstant($"{name}_scale", scaling.ToProto);
        nodes.Add(new NodeProto { OpType = "Mul", Name = editor.Names.Fresh($"{name}_mul"), Input = { wide, factors }, Output = { name } });
        return half;
    }
}

/// <summary>Which constants keep their meaning in float16: eleven significant bits from 2⁻¹⁴ to 65504.</summary>
internal static class Float16Range
{
    /// <summary>The largest number.</summary>
    public const double Largest = 65504;

    /// <summary>
    /// The smallest number with all eleven bits, 2⁻¹⁴ ≈ 6.1e-5; below it digits are lost one by one until 6e-8, and then everything.
    /// </summary>
    public const double SmallestNormal = 1.0 / (1 << 14);

    /// <summary>Why a constant must stay float32, or null when it need not.</summary>
    public static string? WhyNot(RealTensor tensor)
    {
        var largest = tensor.Largest();
        if (!double.IsFinite(largest)) return "it holds numbers that are not finite";
        if (largest > Largest) return string.Create(CultureInfo.InvariantCulture, $"it holds {largest:G3}, and float16 ends at {Largest}");
        // The elements of a vector are no slices: one bias may well be near zero.
        if (tensor.Shape.Count(size => size > 1) < 2) return largest is > 0 and < SmallestNormal ? TooSmall(largest, "it") : null;

        // A slice is what belongs to one feature, one unit, one channel. Where all of it is tiny, something large is multiplied with it (a
        // feature in millions, say), and its digits count.
        for (var axis = 0; axis < tensor.Rank; axis++)
        {
            var slices = tensor.LargestAlong(axis);
            var tiny = Array.FindIndex(slices, slice => slice is > 0 and < SmallestNormal);
            if (tiny >= 0) return TooSmall(slices[tiny], $"entry {tiny} of its axis {axis}");
        }

        return null;
    }

    /// <summary>A constant in float16, each element rounded once.</summary>
    public static TensorProto Convert(RealTensor tensor, string name) => tensor.As(DataType.Float16).ToProto(name);

    private static string TooSmall(double largest, string what) =>
        string.Create(CultureInfo.InvariantCulture, $"{what} has nothing above {largest:G3}, where float16 loses digits");
}

/// <summary>
/// A weight whose slices along one axis are divided by powers of two, so that the largest magnitude of each lies from 1 to 2. Powers of two
/// cost no digits, neither here nor where they are multiplied back.
/// </summary>
internal sealed class RowScaling
{
    private readonly double[] _factors;
    private readonly long[] _shape;

    private RowScaling(int axis, RealTensor scaled, double[] factors)
    {
        (Axis, Scaled, _factors) = (axis, scaled, factors);
        _shape = [.. scaled.Shape.Select((size, index) => index == axis ? size : 1)];
    }

    public int Axis { get; }

    /// <summary>The weight, divided.</summary>
    public RealTensor Scaled { get; }

    /// <summary>The first axis along which the weight fits into float16 when it is divided so; null when none does.</summary>
    public static RowScaling? Find(RealTensor weight)
    {
        for (var axis = 0; axis < weight.Rank; axis++)
        {
            var largest = weight.LargestAlong(axis);
            // Factors must be float32 numbers themselves.
            if (!Array.TrueForAll(largest, value => value == 0 || (double.IsFinite(value) && Math.Abs(Math.ILogB(value)) <= 120)))
                return null;
            var factors = Array.ConvertAll(largest, value => value == 0 ? 1 : Math.ScaleB(1, Math.ILogB(value)));
            var scaled = weight.ScaledAlong(axis, Array.ConvertAll(factors, factor => 1 / factor));
            if (Float16Range.WhyNot(scaled) is null) return new RowScaling(axis, scaled, factors);
        }

        return null;
    }

    /// <summary>The powers of two, in a shape that broadcasts to the weight's.</summary>
    public TensorProto ToProto(string name) => TensorData.FromDoubles(name, DataType.Float, _factors, _shape);
}
