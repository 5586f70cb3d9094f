using System.Globalization;
using System.Xml.Linq;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>What numbers a model's constants hold: those of its batch normalizations, and its weights.</summary>
internal static class RangesSection
{
    // More are not looked through; those with something odd in them come first.
    private const int MostRows = 200;
    private static readonly string[] Roles = ["gamma", "beta", "mean", "variance"];

    private static readonly string[] Header =
        ["constant", "shape", "least", "largest", "mean", "standard deviation", "zeros", "not finite", "from least to largest"];

    /// <summary>The section.</summary>
    /// <param name="before">The graphs of the model as it was given.</param>
    /// <param name="after">Those of the folded one.</param>
    public static IEnumerable<XElement> Create(IEnumerable<OnnxGraph> before, IEnumerable<OnnxGraph> after)
    {
        OnnxGraph[] given = [.. before];
        var statistics = given.SelectMany(Statistics).ToList();
        var ofBatchNorms = given.SelectMany(graph => graph.Nodes).Where(node => node.Is("BatchNormalization"))
            .SelectMany(node => node.Input.Skip(1)).ToHashSet(StringComparer.Ordinal);
        var weights = given.SelectMany(Weights).Where(weight => !ofBatchNorms.Contains(weight.Tensor.Name)).ToList();
        var known = given.SelectMany(graph => graph.Proto.Initializer).Select(tensor => tensor.Name).ToHashSet(StringComparer.Ordinal);
        var changed = after.SelectMany(Weights).Where(weight => !known.Contains(weight.Tensor.Name)).ToList();

        yield return Html.H2("What its numbers are");
        yield return Html.P(
            "The ranges of all constants. A variance far below the others is a channel that is (nearly) the same in every row; a gamma "
            + "near 0 a channel that hardly passes; numbers that are not finite are a training that went wrong.");
        foreach (var part in Table("Batch normalizations", statistics.Select(row => row()), statistics.Count)) yield return part;
        foreach (var part in Table("Weights", weights.Select(weight => weight.Row()), weights.Count)) yield return part;
        foreach (var part in Table("New or changed by folding", changed.Select(weight => weight.Row()), changed.Count)) yield return part;
    }

    private static IEnumerable<XElement> Table(string title, IEnumerable<Row> all, int count)
    {
        if (count == 0) yield break;
        var (odd, plain) = (new List<Row>(), new List<Row>());
        foreach (var row in all)
        {
            // Only what is shown is kept, and of all the rest is known that nothing is wrong with it.
            if (row.Range.NotFinite > 0 && odd.Count < MostRows) odd.Add(row);
            else if (plain.Count < MostRows) plain.Add(row);
        }

        List<Row> rows = [.. odd, .. plain.Take(MostRows - odd.Count)];
        yield return Html.H3(title);
        yield return new XElement(
            "div", new XAttribute("class", "scroll"), new XAttribute("tabindex", "0"), Html.Table(Header, rows.Select(row => row.Cells())));
        if (count > rows.Count)
            yield return Html.Small(
                $"The first {rows.Count} of {Html.Count(count)}, beginning with those that hold numbers that are not finite, if there are "
                + "any.");
    }

    private static IEnumerable<Func<Row>> Statistics(OnnxGraph graph) =>
        from node in graph.Nodes
        where node.Is("BatchNormalization")
        from i in Enumerable.Range(0, Roles.Length)
        let tensor = graph.Constant(node.InputAt(i + 1)).Tensor
        where tensor is not null
        select (Func<Row>)(() => new Row($"{Roles[i]} of {node.Label()}", tensor.Shape, NumberRange.Of(tensor.Count, tensor.Read)));

    private static IEnumerable<(TensorProto Tensor, Func<Row> Row)> Weights(OnnxGraph graph) =>
        from tensor in graph.Proto.Initializer
        let type = ElementTypes.Find((DataType)tensor.DataType)
        where type is { IsReal: true } or { Bits: 8, IsPlain: true, Type: not DataType.Bool }
        let count = TensorData.ElementCount(tensor.Dims, tensor.Name)
        where count is > 0 and <= int.MaxValue && tensor.DataLocation != TensorProto.Types.DataLocation.External
        let reader = graph.Readers(tensor.Name) is [var use, ..] ? $", read by {use.Node.Describe()}" : string.Empty
        select (tensor, (Func<Row>)(() => new Row(
            tensor.Name + reader,
            tensor.Dims,
            NumberRange.Of((int)count, (start, numbers) =>
            {
                if (LazyBytes.Behind(tensor.RawData) is { } lazy) lazy.Read(start, numbers);
                else type.Read(tensor, start, numbers);
            }))));

    /// <summary>A line of the table.</summary>
    /// <param name="Name">What the constant is.</param>
    /// <param name="Shape">Its shape.</param>
    /// <param name="Range">Its numbers.</param>
    private sealed record Row(string Name, IReadOnlyList<long> Shape, NumberRange Range)
    {
        public IEnumerable<object> Cells() =>
        [
            Html.Short(Name), $"[{string.Join(", ", Shape)}]", Number(Range.Least), Number(Range.Largest), Number(Range.Mean),
            Number(Range.Deviation), Html.Number(Html.Count(Range.Zeros)), Html.Number(Html.Count(Range.NotFinite)),
            Html.Bars(Range.Counts),
        ];

        private static XElement Number(double value) =>
            Html.Number(double.IsNaN(value) ? "–" : value.ToString("G4", CultureInfo.InvariantCulture));
    }
}

/// <summary>The numbers of a constant, summed up.</summary>
/// <param name="Least">The smallest finite one; NaN where there is none.</param>
/// <param name="Largest">The largest finite one; NaN where there is none.</param>
/// <param name="Mean">The mean of the finite ones.</param>
/// <param name="Deviation">Their standard deviation, Σ(x−μ)²/n under the root.</param>
/// <param name="Zeros">How many are 0.</param>
/// <param name="NotFinite">How many are infinite or not a number.</param>
/// <param name="Counts">How many of the finite ones lie in each part from the smallest to the largest.</param>
internal sealed record NumberRange(
    double Least, double Largest, double Mean, double Deviation, long Zeros, long NotFinite, IReadOnlyList<long> Counts)
{
    private const int Parts = 24;
    private const int ChunkElements = 1 << 13;

    /// <summary>Goes through the numbers, twice.</summary>
    /// <param name="count">How many there are.</param>
    /// <param name="read">Gives them from a place on.</param>
    public static NumberRange Of(int count, Reader read)
    {
        var (least, largest, sum) = (double.PositiveInfinity, double.NegativeInfinity, 0.0);
        long zeros = 0, finite = 0;
        Visit(count, read, chunk =>
        {
            foreach (var value in chunk)
            {
                if (!double.IsFinite(value)) continue;
                finite++;
                sum += value;
                if (value < least) least = value;
                if (value > largest) largest = value;
                if (value == 0) zeros++;
            }
        });
        var counts = new long[Parts];
        if (finite == 0) return new NumberRange(double.NaN, double.NaN, double.NaN, double.NaN, 0, count, counts);
        var (mean, squares) = (sum / finite, 0.0);
        var scale = largest > least ? Parts / (largest - least) : 0;
        Visit(count, read, chunk =>
        {
            foreach (var value in chunk)
            {
                if (!double.IsFinite(value)) continue;
                squares += (value - mean) * (value - mean);
                counts[Math.Min(Parts - 1, (int)((value - least) * scale))]++;
            }
        });
        return new NumberRange(least, largest, mean, Math.Sqrt(squares / finite), zeros, count - finite, counts);
    }

    private static void Visit(int count, Reader read, Visitor visit)
    {
        var buffer = new double[Math.Min(count, ChunkElements)];
        for (var start = 0; start < count; start += buffer.Length)
        {
            var chunk = buffer.AsSpan(0, Math.Min(buffer.Length, count - start));
            read(start, chunk);
            visit(chunk);
        }
    }

    /// <summary>Gives numbers from a place on.</summary>
    public delegate void Reader(int start, Span<double> into);

    private delegate void Visitor(ReadOnlySpan<double> chunk);
}
