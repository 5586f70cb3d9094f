namespace MlNetBatchNorm.Onnx.Tables;

/// <summary>
/// How the float64 numbers of a column become float32 without losing what tells them apart: <c>(float)((x − Offset) · Scale)</c>. A cast
/// alone keeps 7 digits, so that order numbers of 10 digits, or times in milliseconds, would become one number.
/// </summary>
/// <param name="Offset">What is taken off in float64, near the column's median: neighbours differ exactly then. 0 = nothing.</param>
/// <param name="Scale">A power of two; 1 for all columns whose numbers float32 can hold.</param>
internal readonly record struct Float32Map(double Offset, double Scale)
{
    // The rounding of float32 that is let pass, in parts of the distance of half of the numbers from their median.
    private const double RoundingAllowed = 1.0 / 4096;

    // Beyond, a number or its square in float32 is 0 or infinite before long.
    private const double Least = 1e-30, Most = 1e30;

    // So many keep what is left of the numbers small, and leave room for a sum without rounding.
    private const int OffsetBits = 40;

    // float64 has no more: a power of two and the number one beside it are finite and not 0.
    private const int LargestExponent = 1000;

    /// <summary>The cast alone.</summary>
    public static Float32Map Plain { get; } = new(0, 1);

    /// <summary>Whether the cast alone will do.</summary>
    public bool IsPlain => Offset == 0 && Scale == 1;

    /// <summary>Maps a number; NaN stays NaN.</summary>
    public float Apply(double number) => (float)((number - Offset) * Scale);

    /// <summary>Chooses what a column needs, by its numbers.</summary>
    /// <param name="numbers">The different numbers, finite, in any order; of equal ones each counts.</param>
    /// <param name="rows">How many rows have each; null = one.</param>
    public static Float32Map For(ReadOnlySpan<double> numbers, int[]? rows = null)
    {
        var (isExact, most) = (true, 0.0);
        foreach (var number in numbers)
        {
            isExact &= number == (float)number;
            most = Math.Max(most, Math.Abs(number));
        }

        if (most == 0) return Plain;
        var plain = new Float32Map(0, ScaleFor(most));
        return plain.IsPlain && isExact ? Plain : plain.WithOffsetFor([.. numbers], rows ?? [.. Enumerable.Repeat(1, numbers.Length)]);
    }

    /// <summary>
    /// The median of some numbers, and how far half of the others are from it at most: unlike a standard deviation, a few numbers far away
    /// do not change it. 0 where all are the same.
    /// </summary>
    public static (double Median, double Spread) Middle(double[] numbers, int[] rows)
    {
        var median = Median(numbers, rows);
        int[] others = [.. Enumerable.Range(0, numbers.Length).Where(i => numbers[i] != median && rows[i] > 0)];
        return (median, others.Length == 0
            ? 0
            : Median([.. others.Select(i => Math.Abs(numbers[i] - median))], [.. others.Select(i => rows[i])]));
    }

    private Float32Map WithOffsetFor(double[] numbers, int[] rows)
    {
        var (median, spread) = Middle(numbers, rows);
        var distances = Array.ConvertAll(numbers, number => Math.Abs(number - median));
        if (spread == 0 || distances.Any(double.IsInfinity)) return this;
        var lost = 0.0;
        for (var i = 0; i < numbers.Length; i++)
            if (distances[i] <= 2 * spread) lost = Math.Max(lost, Math.Abs(numbers[i] - (Apply(numbers[i]) / Scale)));
        if (lost <= RoundingAllowed * spread) return this;

        // What becomes 0 and 1, Offset and Offset + 1 / Scale, and their difference are to be exact in float64.
        var exponent = Math.ILogB(median);
        var offset = Math.ScaleB(Math.Truncate(Math.ScaleB(median, OffsetBits - 1 - exponent)), exponent - OffsetBits + 1);
        var step = Math.ILogB(1 / ScaleFor(numbers.Max(number => Math.Abs(number - offset))));
        return new Float32Map(offset, PowerOfTwo(-Math.Clamp(step, exponent - 51, exponent + 52 - OffsetBits)));
    }

    private static double ScaleFor(double most) => most is < Least or > Most ? PowerOfTwo(-Math.ILogB(most)) : 1;

    private static double PowerOfTwo(int exponent) => Math.ScaleB(1, Math.Clamp(exponent, -LargestExponent, LargestExponent));

    // The lower of two: a number that is there.
    private static double Median(double[] values, int[] counts)
    {
        var order = Enumerable.Range(0, values.Length).ToArray();
        Array.Sort([.. values], order);
        var (half, seen) = (counts.Sum(count => (long)count) / 2.0, 0L);
        foreach (var i in order)
        {
            seen += counts[i];
            if (seen >= half && counts[i] > 0) return values[i];
        }

        return values[order[^1]];
    }
}
