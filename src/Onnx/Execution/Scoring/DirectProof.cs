using System.Globalization;
using MlNetBatchNorm.Onnx.Execution.Direct;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>
/// Whether a network that is evaluated directly gives ONNX Runtime's answers, on generated rows: ordinary ones around the places where the
/// model does something new, and such with a NaN, an infinity, a very large or small number in each column.
/// </summary>
internal static class DirectProof
{
    // What rounding does to a model is seen from what it does in ONNX Runtime when the last digit of the inputs changes: each layer rounds
    // about as much anew. A model that makes more of it than the upper limit is left to ONNX Runtime.
    private const double FewestUnits = 2;
    private const double MostUnits = 32;
    private const double Layers = 4;
    private const double MostUnitsOfUnusual = 1 << 12;
    private const int MostOrdinaryRows = 128;
    private const int FewestOrdinaryRows = 16;
    private const int MostUnusualRows = 512;

    // Of rows with tens of thousands of columns fewer will do: each meets as many places as hundreds of short ones.
    private const int MostNumbers = 1 << 23;

    private static readonly float[] Unusual =
        [float.NaN, float.PositiveInfinity, float.NegativeInfinity, 0, -0f, 1e-40f, 1e6f, -1e6f, 1e30f, -1e30f];

    /// <summary>Compares.</summary>
    /// <param name="network">The network.</param>
    /// <param name="model">The model in ONNX Runtime.</param>
    /// <returns>Why it is not to be used; null where it is.</returns>
    public static string? Refute(DirectNetwork network, RowModel model)
    {
        var layout = model.Layout;
        var (rows, ordinary) = Rows(network, layout);
        var expected = new float[rows.Count * layout.ResultLength];
        var nudged = new float[rows.Count * layout.ResultLength];
        var actual = new float[rows.Count * layout.ResultLength];
        var alone = new float[rows.Count * layout.ResultLength];
        var memory = network.CreateMemory();
        using (var block = new NumberBlock(model.Session, null, layout, rows.Count))
        {
            Run(block, rows, expected);
            var random = new Random(2);
            Run(block, [.. rows.Select(row => Nudged(row, network, random))], nudged);
        }

        // One row and many go different ways.
        if (!network.Run(memory, Together(rows, layout), rows.Count, actual)) return "generated rows have no answer";
        var one = new float[layout.ResultLength];
        for (var row = 0; row < rows.Count; row++)
        {
            network.Run(memory, rows[row], 1, one);
            var (from, to) = (0, 0);
            foreach (var output in layout.Outputs)
            {
                one.AsSpan(from, output.Count).CopyTo(alone.AsSpan(to + (row * output.Count)));
                (from, to) = (from + output.Count, to + (rows.Count * output.Count));
            }
        }

        var start = 0;
        foreach (var output in layout.Outputs)
        {
            var length = rows.Count * output.Count;
            var truth = expected.AsSpan(start, length);
            var many = actual.AsSpan(start, length);
            var single = alone.AsSpan(start, length);
            var usual = truth[..(ordinary * output.Count)];
            var scale = Largest(usual);
            var rounding = Off(usual, nudged.AsSpan(start, usual.Length), Unit(scale));
            var most = Math.Clamp(Layers * rounding, FewestUnits, MostUnits);
            for (var row = 0; row < rows.Count; row++)
            {
                var isOrdinary = row < ordinary;
                var part = new Range(row * output.Count, (row + 1) * output.Count);
                var unit = Unit(isOrdinary ? scale : Math.Max(scale, Largest(truth[part])));
                var allowed = isOrdinary ? most : MostUnitsOfUnusual;
                var off = Math.Max(Off(truth[part], many[part], unit), Off(truth[part], single[part], unit));
                if (off <= allowed) continue;
                return string.Create(
                    CultureInfo.InvariantCulture,
                    $"the output '{output.Name}' differs from ONNX Runtime's by {off:G3} units in the last place of its scale "
                    + $"on a generated row{(isOrdinary ? string.Empty : " with an unusual number")}; at most {allowed:G3} are allowed");
            }

            start += length;
        }

        return null;

        void Run(NumberBlock block, List<float[]> rows, float[] results)
        {
            block.Fill(Together(rows, layout), rows.Count, 0, rows.Count);
            block.Run(rows.Count);
            block.Take(results, rows.Count, 0, rows.Count);
        }
    }

    private static float[] Nudged(float[] row, DirectNetwork network, Random random) =>
    [
        .. row.Select((number, column) => (network.Codes[column] > 0 ? 2 : random.Next(3)) switch
        {
            0 => MathF.BitDecrement(number),
            1 => MathF.BitIncrement(number),
            _ => number,
        }),
    ];

    private static float Largest(ReadOnlySpan<float> numbers)
    {
        var largest = 0f;
        foreach (var number in numbers)
            if (float.IsFinite(number)) largest = Math.Max(largest, Math.Abs(number));
        return largest;
    }

    private static double Unit(float scale) => (double)MathF.BitIncrement(scale) - scale;

    private static double Off(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, double unit)
    {
        var off = 0.0;
        for (var i = 0; i < expected.Length; i++)
        {
            var (a, b) = (expected[i], actual[i]);
            if (a.Equals(b)) continue;
            if (!float.IsFinite(a) || !float.IsFinite(b)) return double.PositiveInfinity;
            off = Math.Max(off, Math.Abs((double)a - b) / unit);
        }

        return off;
    }

    // Rows as they are given to a model: input by input.
    private static float[] Together(List<float[]> rows, RowLayout layout)
    {
        var result = new float[rows.Count * layout.RowLength];
        var (from, to) = (0, 0);
        foreach (var input in layout.Inputs)
        {
            for (var row = 0; row < rows.Count; row++, to += input.Count) rows[row].AsSpan(from, input.Count).CopyTo(result.AsSpan(to));
            from += input.Count;
        }

        return result;
    }

    private static (List<float[]> Rows, int Ordinary) Rows(DirectNetwork network, RowLayout layout)
    {
        var length = layout.RowLength;
        var random = new Random(1);
        var rows = new List<float[]>();
        var most = MostNumbers / Math.Max(Math.Max(length, layout.ResultLength), 1);
        var ordinary = Math.Clamp(most / 4, FewestOrdinaryRows, MostOrdinaryRows);
        for (var i = 0; i < ordinary; i++)
        {
            var row = new float[length];
            for (var column = 0; column < length; column++)
                row[column] = network.Codes[column] > 0 ? random.Next(network.Codes[column]) : Ordinary(network.Points[column], random);
            rows.Add(row);
        }

        // What is an index is one in each row, or there would be no answer.
        int[] free = [.. Enumerable.Range(0, length).Where(column => network.Codes[column] == 0)];
        var columns = Math.Min(free.Length, Math.Clamp(most - ordinary, Unusual.Length, MostUnusualRows) / Unusual.Length);
        foreach (var number in Unusual)
        {
            for (var i = 0; i < columns; i++)
            {
                float[] row = [.. rows[random.Next(ordinary)]];
                row[free[(int)((long)i * free.Length / columns)]] = number;
                rows.Add(row);
            }

            float[] all = [.. rows[random.Next(ordinary)]];
            foreach (var column in free) all[column] = number;
            rows.Add(all);
        }

        return (rows, ordinary);
    }

    // At one of the known places, between two of them, or around 0; now and then a small whole number, as codes of categories are.
    private static float Ordinary(IReadOnlyList<float> points, Random random)
    {
        var normal = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        if (points.Count == 0) return random.Next(4) == 0 ? random.Next(2) : normal;
        var place = random.Next(points.Count);
        var (point, next) = (points[place], points[Math.Min(place + 1, points.Count - 1)]);
        var distance = next > point ? next - point : Math.Max(Math.Abs(point) / 4, 1);
        return random.Next(8) switch
        {
            0 => point,
            1 => point + (normal * distance),
            _ => point + (random.NextSingle() * distance),
        };
    }
}
