using System.Numerics.Tensors;

namespace MlNetBatchNorm.Trainer.Data;

/// <summary>
/// What an encoding has learned of the training rows (<see cref="NumericEncoding.PiecewiseLinear"/>): a row <c>[F]</c>
/// becomes <c>[smoothly clipped numbers, entries of bins, features of 0 and 1 as they are, numbers of categories as they are]</c>. Features
/// that are the same in every row are left out, and of rows that are mostly zeros, as those of texts, those that hardly any row has.
/// </summary>
internal sealed record EncodedNumbers
{
    // Entries of bins add up: at 1 each, they would drown the number beside them, by which classes are usually told apart. By out-of-fold
    // rows of the development tables, on which a number is learned better with both as they are.
    private const float ReachForClasses = 0.2f;

    // From so many rows on, entries reach that far, with fewer in proportion: a number that relates smoothly to the label should not be
    // learned bin by bin from a handful of rows in each. Of two classes it brings nothing: they have so few bins as it is.
    private const float RowsOfFullReach = 2000;

    // Two classes with so many rows to each number have enough of them for every bin, and are told apart better by bins in full.
    private const float RowsOfANumber = 1500;

    // Quantiles of so many rows are those of all to a thousandth.
    public const int SampledRows = 1 << 17;

    // Of so many rows, mostly zeros, a feature that fewer than these have says nothing that would hold elsewhere, but takes weights as any
    // other: of the pairs of words in texts, nine in ten.
    private const int RowsWithRare = 1000;
    private const int FewestRows = 5;

    // More of them are the most common ones: each takes a weight of every unit, and what the others say is mostly said by these, too.
    private const int MostSparse = 1 << 14;

    // Beyond, squares or reciprocals would leave float32, and so the values are brought near 1 by a power of two first.
    private const float Least = 1e-15f, Most = 1e15f;

    /// <summary>What each feature of a row is multiplied with first, a power of two, <c>[F]</c>.</summary>
    public required float[] Unit { get; init; }

    /// <summary>The features that are numbers, ascending.</summary>
    public required int[] Numbers { get; init; }

    /// <summary>Their medians.</summary>
    public required float[] Center { get; init; }

    /// <summary>What each is multiplied with then: 1/IQR, or 2/(max − min) where that is 0.</summary>
    public required float[] Scale { get; init; }

    /// <summary>For each entry its feature; the entries of a feature stand side by side, ascending.</summary>
    public required int[] BinFeatures { get; init; }

    /// <summary>For each entry, where its bin begins.</summary>
    public required float[] Lower { get; init; }

    /// <summary>For each entry, 1 / the width of its bin.</summary>
    public required float[] InverseWidth { get; init; }

    /// <summary>What an entry is where its bin lies wholly below the number.</summary>
    public required float BinReach { get; init; }

    /// <summary>The features that are 0 or 1 in every row, ascending.</summary>
    public required int[] Flags { get; init; }

    /// <summary>What each of them is multiplied with.</summary>
    public required float[] FlagScale { get; init; }

    /// <summary>The features that are numbers of categories, ascending (<see cref="TrainingOptions.EmbeddedFeatures"/>).</summary>
    public required int[] Categories { get; init; }

    /// <summary>
    /// The same with every entry between 0 and 1 and flags as they are, and what each value of a row is then to be multiplied with,
    /// <c>[Width]</c>: for the layer behind.
    /// </summary>
    public (EncodedNumbers Encoding, float[] Scales) Unscaled()
    {
        float[] scales =
        [
            .. Enumerable.Repeat(1f, Numbers.Length), .. Enumerable.Repeat(BinReach, Lower.Length), .. FlagScale,
            .. Enumerable.Repeat(1f, Categories.Length),
        ];
        return (this with { BinReach = 1, FlagScale = [.. Enumerable.Repeat(1f, Flags.Length)] }, scales);
    }

    /// <summary>The features of a row.</summary>
    public int Inputs => Unit.Length;

    /// <summary>The values that a row becomes.</summary>
    public int Width => Numbers.Length + Lower.Length + Flags.Length + Categories.Length;

    /// <summary>The features that differ between the rows, ascending.</summary>
    public int[] Used => [.. Numbers.Concat(BinFeatures).Concat(Flags).Concat(Categories).Distinct().Order()];

    /// <summary>Learns the encoding.</summary>
    /// <param name="rows">The training rows, plain vectors.</param>
    /// <param name="bins">The most bins of a number; 0 = none, but for a feature of two values, which has one.</param>
    /// <param name="forClasses">Whether classes are learned, and not numbers.</param>
    /// <param name="categories">The features that are numbers of categories; null = none.</param>
    public static EncodedNumbers Fit(TrainingData rows, int bins, bool forClasses, IReadOnlyList<int>? categories = null)
    {
        var columns = new SortedColumns(Sample(rows.FeatureRows));
        var unit = new float[columns.Count];
        var (numbers, center, scale) = (new List<int>(), new List<float>(), new List<float>());
        var (features, lower, inverse) = (new List<int>(), new List<float>(), new List<float>());
        var (flags, embedded) = (new List<int>(), new HashSet<int>(categories ?? []));
        int[] all = [.. Enumerable.Range(0, columns.Count).Where(columns.IsCommon)
            .Where(feature => !Distinct(columns.Values(feature), 3).IsFew)];
        var (hasBins, ofDense) = (bins > 0 && all.Length <= NumericEncoding.MostNumbers, false);
        if (bins > 0 && !hasBins) ofDense = all.Count(columns.IsDense) <= NumericEncoding.MostNumbers;
        for (var feature = 0; feature < columns.Count; feature++)
        {
            unit[feature] = 1;
            if (embedded.Contains(feature) || !columns.IsCommon(feature)) continue;
            var values = columns.Values(feature);
            unit[feature] = UnitOf(Math.Max(Math.Abs(values[0]), Math.Abs(values[^1])));
            if (unit[feature] != 1) TensorPrimitives.Multiply(values, unit[feature], values);
            var (different, isFew) = Distinct(values, Math.Max(bins, 2) + 1);
            if (different.Length == 1) continue;
            if (different is [0, 1])
            {
                flags.Add(feature);
                continue;
            }

            if (different.Length > 2)
            {
                var (quarter, median, threeQuarters) = (Quantile(values, 0.25), Quantile(values, 0.5), Quantile(values, 0.75));
                numbers.Add(feature);
                center.Add((float)median);
                scale.Add((float)(threeQuarters > quarter ? 1 / (threeQuarters - quarter) : 2 / ((double)values[^1] - values[0])));

                // Beside the words of texts, numbers have what they have without them.
                if (!hasBins && !(ofDense && columns.IsDense(feature))) continue;
            }

            var edges = isFew && different.Length <= Math.Max(bins, 1) + 1 ? different : Edges(values, bins);
            for (var bin = 0; bin + 1 < edges.Length; bin++)
            {
                features.Add(feature);
                lower.Add(edges[bin]);
                inverse.Add((float)(1 / ((double)edges[bin + 1] - edges[bin])));
            }
        }

        return new EncodedNumbers
        {
            Unit = unit,
            Numbers = [.. numbers],
            Center = [.. center],
            Scale = [.. scale],
            BinFeatures = [.. features],
            Lower = [.. lower],
            InverseWidth = [.. inverse],
            BinReach = bins > 0 ? ReachOf(rows, forClasses, numbers.Count) : 1,
            Flags = [.. flags],
            Categories = [.. (categories ?? []).Order()],
            FlagScale = forClasses ? Scales(rows.FeatureRows, flags) : [.. Enumerable.Repeat(1f, flags.Count)],
        };
    }

    /// <summary>The same for rows that only have some of the features.</summary>
    /// <param name="kept">Those features, ascending; all that the encoding uses must be among them.</param>
    public EncodedNumbers Of(int[] kept)
    {
        var place = new Dictionary<int, int>();
        for (var i = 0; i < kept.Length; i++) place.Add(kept[i], i);
        return this with
        {
            Unit = Array.ConvertAll(kept, feature => Unit[feature]),
            Numbers = Array.ConvertAll(Numbers, feature => place[feature]),
            BinFeatures = Array.ConvertAll(BinFeatures, feature => place[feature]),
            Flags = Array.ConvertAll(Flags, feature => place[feature]),
            Categories = Array.ConvertAll(Categories, feature => place[feature]),
        };
    }

    /// <summary>
    /// The edges of bins with as many rows in each, as far as that goes: a value on which several edges would fall is one edge, and the
    /// others are quantiles of the remaining rows.
    /// </summary>
    /// <param name="sorted">The values, ascending.</param>
    /// <param name="bins">The most bins.</param>
    internal static float[] Edges(float[] sorted, int bins)
    {
        var edges = Quantiles(sorted, bins);
        float[] repeated = [.. edges.GroupBy(edge => edge).Where(same => same.Count() > 1).Select(same => same.Key)];
        if (repeated.Length > 0)
        {
            float[] rest = [.. sorted.Where(value => Array.BinarySearch(repeated, value) < 0)];
            var others = bins - repeated.Length;
            edges = rest.Length == 0 || others < 1 ? repeated : [.. repeated, .. Quantiles(rest, others)];
        }

        return [.. edges.Append(sorted[0]).Append(sorted[^1]).Distinct().Order()];
    }

    private static float ReachOf(TrainingData rows, bool forClasses, int numbers)
    {
        var share = Math.Min(1, rows.Count / RowsOfFullReach);
        return !forClasses ? share
            : rows.Outputs == 1 ? Math.Clamp(rows.Count / (RowsOfANumber * Math.Max(1, numbers)), ReachForClasses, 1)
            : ReachForClasses * share;
    }

    private static float[] Quantiles(float[] sorted, int bins) =>
        [.. Enumerable.Range(0, bins + 1).Select(i => (float)Quantile(sorted, (double)i / bins))];

    // Between two values in proportion.
    private static double Quantile(float[] sorted, double share)
    {
        var place = share * (sorted.Length - 1);
        var below = Math.Min((int)place, sorted.Length - 2);
        return sorted.Length == 1 ? sorted[0] : sorted[below] + ((place - below) * ((double)sorted[below + 1] - sorted[below]));
    }

    private static (float[] Values, bool IsFew) Distinct(float[] sorted, int most)
    {
        var values = new List<float>();
        foreach (var value in sorted)
        {
            if (values.Count > 0 && values[^1] == value) continue;
            if (values.Count == most) return ([.. values], false);
            values.Add(value);
        }

        return ([.. values], true);
    }

    private static float UnitOf(float largest) =>
        largest is 0 or (>= Least and <= Most) ? 1 : MathF.ScaleB(1, -Math.Clamp(MathF.ILogB(largest), -126, 126));

    // Features that stand side by side and are never 1 together are the levels of one category, each of which counts 1/√levels: a category
    // then weighs as much as a number, however many levels it has. Two levels are like a number already.
    private static float[] Scales(FeatureRows rows, List<int> flags)
    {
        var place = new Dictionary<int, int>();
        for (var i = 0; i < flags.Count; i++) place.Add(flags[i], i);
        var ones = new List<int>[flags.Count];
        for (var i = 0; i < ones.Length; i++) ones[i] = [];
        Sample(rows).Visit((row, values, slots) =>
        {
            for (var at = 0; at < values.Length; at++)
                if (values[at] == 1 && place.TryGetValue(slots.IsEmpty ? at : slots[at], out var i)) ones[i].Add(row);
        });
        var scales = new float[flags.Count];
        for (var first = 0; first < scales.Length;)
        {
            var taken = new HashSet<int>(ones[first]);
            var end = first + 1;
            while (end < scales.Length && flags[end] == flags[end - 1] + 1 && !ones[end].Exists(taken.Contains))
                taken.UnionWith(ones[end++]);
            scales.AsSpan(first, end - first).Fill(end - first > 2 ? 1 / MathF.Sqrt(end - first) : 1);
            first = end;
        }

        return scales;
    }

    // Where there are many, each of so many.
    private static FeatureRows Sample(FeatureRows rows)
    {
        var step = Math.Max(1, rows.Count / SampledRows);
        return step == 1 ? rows : rows.Select([.. Enumerable.Range(0, (rows.Count + step - 1) / step).Select(row => row * step)]);
    }

    /// <summary>The values of each feature, ascending. Of rows that are mostly zeros only the others are kept.</summary>
    private sealed class SortedColumns
    {
        private readonly List<float>[] _kept;
        private readonly int _rows;
        private readonly int _fewest;
        private readonly float[] _values;

        public SortedColumns(FeatureRows rows)
        {
            (_rows, _values) = (rows.Count, new float[rows.Count]);
            _kept = new List<float>[rows.Width];
            for (var feature = 0; feature < _kept.Length; feature++) _kept[feature] = new List<float>(rows.IsSparse ? 0 : _rows);
            rows.Visit((_, values, slots) =>
            {
                for (var at = 0; at < values.Length; at++) _kept[slots.IsEmpty ? at : slots[at]].Add(values[at]);
            });
            foreach (var values in _kept) values.Sort();
            if (!rows.IsSparse || _rows < RowsWithRare) return;
            var counts = Array.ConvertAll(_kept, values => values.Count);
            Array.Sort(counts);
            _fewest = counts.Length <= MostSparse ? FewestRows : Math.Max(FewestRows, counts[^(MostSparse + 1)] + 1);
        }

        public int Count => _kept.Length;

        /// <summary>Whether rows enough have something else than 0.</summary>
        public bool IsCommon(int feature) => _kept[feature].Count >= _fewest;

        /// <summary>Whether more than a quarter of the rows have something else than 0.</summary>
        public bool IsDense(int feature) => 4L * _kept[feature].Count(value => value != 0) > _rows;

        /// <summary>All values of a feature, ascending; they are there until the next are asked for.</summary>
        public float[] Values(int feature)
        {
            var (kept, values) = (_kept[feature], _values);
            var below = kept.FindIndex(value => value >= 0);
            if (below < 0) below = kept.Count;
            kept.CopyTo(0, values, 0, below);
            values.AsSpan(below, _rows - kept.Count).Clear();
            kept.CopyTo(below, values, _rows - kept.Count + below, kept.Count - below);
            return values;
        }
    }
}
