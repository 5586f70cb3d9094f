using System.Runtime.InteropServices;

namespace MlNetBatchNorm.Trainer.Data;

/// <summary>A feature that is the number of a category, and the vectors that the categories become.</summary>
/// <param name="Feature">The feature's place in a row.</param>
/// <param name="Rows">How many training rows have each number, from 0 to the largest.</param>
/// <param name="Scale">How many times as long as usual the vectors are, above 0.</param>
internal sealed record EmbeddedCategory(int Feature, IReadOnlyList<int> Rows, float Scale = 1)
{
    // Of 228 levels 8 values, of 5,000 18, of 50,000 30.
    private const int RootsPerVector = 2;

    /// <summary>The largest number that a training row has; at least 1.</summary>
    public int Levels => Rows.Count - 1;

    /// <summary>The values of a vector: twice the fourth root of the levels, rounded up, times the scale; at least 1.</summary>
    public int Dimension { get; } =
        (int)Math.Max(1, Math.Round(Scale * RootsPerVector * Math.Ceiling(Math.Pow(Rows.Count - 1, 0.25))));
}

/// <summary>The features of a table that are numbers of categories (<see cref="TrainingOptions.EmbeddedFeatures"/>).</summary>
internal static class EmbeddedCategories
{
    // Beyond, the tables would be larger than all else; and float32 has no more whole numbers than 16 times as many.
    private const int MostLevels = 1_000_000;

    /// <summary>Finds the levels of features; those that are 0 in every row are left out.</summary>
    /// <param name="features">The places of the features in a row.</param>
    /// <param name="rows">The training rows.</param>
    /// <param name="ranks">The ranks whose rows count together; null = there is but this one.</param>
    /// <param name="scale">How many times as long as usual the vectors are.</param>
    /// <exception cref="ArgumentException">A place is beyond the row, or a value is no whole number from 0 to 1,000,000.</exception>
    public static IReadOnlyList<EmbeddedCategory> Find(
        IReadOnlyList<int> features, TrainingData rows, Communicator? ranks = null, float scale = 1)
    {
        if (features.Count == 0) return [];
        var width = rows.FeatureRows.Width;
        var areDifferent = features.Distinct().Count() == features.Count;
        if (!rows.Shape.IsVector || !areDifferent || features.Any(feature => feature < 0 || feature >= width))
            throw new ArgumentException(
                $"Embedded features are different places in a row of plain features, from 0 to {width - 1}, but are "
                + $"{string.Join(", ", features)}.");
        var counts = new List<int>?[width];
        foreach (var feature in features) counts[feature] = [0];
        rows.FeatureRows.Visit((row, values, slots) =>
        {
            // Of a sparse row without any value there is neither.
            if (values.Length == width)
                foreach (var feature in features) Count(row, feature, values[feature]);
            else
                for (var i = 0; i < slots.Length; i++) Count(row, slots[i], values[i]);
        });
        foreach (var feature in features) counts[feature]![0] = rows.Count - counts[feature]!.Sum();
        if (ranks is not null)
            foreach (var feature in features) counts[feature] = SumOver(ranks, counts[feature]!);
        return [.. features.Order().Where(feature => counts[feature]!.Count > 1).Select(
            feature => new EmbeddedCategory(feature, [.. counts[feature]!], scale))];

        // The largest number need not be the same on all ranks.
        static List<int> SumOver(Communicator ranks, List<int> own)
        {
            var sums = new List<int>();
            foreach (var part in ranks.AllGather<int>(CollectionsMarshal.AsSpan(own)))
                for (var i = 0; i < part.Length; i++)
                    if (i < sums.Count) sums[i] += part[i];
                    else sums.Add(part[i]);
            return sums;
        }

        void Count(int row, int feature, float value)
        {
            if (counts[feature] is not { } ofFeature || value == 0) return;
            if (value is not (>= 0 and <= MostLevels) || value != MathF.Floor(value))
                throw new ArgumentException(string.Create(
                    System.Globalization.CultureInfo.InvariantCulture,
                    $"Feature {feature} is embedded, so that it is the number of a category, from 1 to {MostLevels:N0}, or 0 for none; "
                        + $"but in row {row + 1} it is {value}."));
            while (ofFeature.Count <= value) ofFeature.Add(0);
            ofFeature[(int)value]++;
        }
    }
}
