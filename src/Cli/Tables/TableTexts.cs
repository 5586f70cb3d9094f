using System.Text;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>Finds the columns of free text in a table, and which of their words are features.</summary>
internal static class TableTexts
{
    // By rows held out of reviews and of titles: fewer buckets mix words with others, more tell nothing; more features than that neither.
    private const int Buckets = 1 << 16;
    private const int MostFeatures = 1 << 12;
    private const int Words = 2;

    // What fewer rows have says nothing that would hold elsewhere; of few rows, a smaller number is as large a share.
    private const int FewestRows = 5;
    private const int RowsPerFewest = 200;

    // So many texts say whether the column has free text.
    private const int FirstTexts = 1000;

    // Names have fewer words, or begin them with capitals, of which titles have more.
    private const int SeveralWords = 3;
    private const int ManyWords = 6;

    /// <summary>Whether a column's texts are sentences, titles or notes, rather than names or identifiers: by their words.</summary>
    /// <remarks>
    /// Most of them have several words with letters, divided by white space, and most of these words come up in other texts, too.
    /// </remarks>
    public static bool AreFree(TableColumn column)
    {
        var rows = column.CountRows();
        string[] texts =
            [.. Enumerable.Range(0, rows.Length).Where(code => rows[code] > 0 && column.Values[code].Kind != CellKind.Missing)
                .Select(code => column.Texts[code]).Take(FirstTexts)];
        if (texts.Length == 0) return false;
        var (small, all) = (0, 0);
        var counts = new int[texts.Length];
        for (var i = 0; i < texts.Length; i++)
        {
            var (words, large) = Look(texts[i]);
            counts[i] = words;
            (small, all) = (small + words - large, all + words);
        }

        Array.Sort(counts);
        if (counts[counts.Length / 2] < (4 * small >= all ? SeveralWords : ManyWords)) return false;
        var known = Array.ConvertAll(texts, text => TextFeature.WordsOf(text).Where(word => word.EnumerateRunes().Any(Rune.IsLetter)).ToArray());
        var textsOf = known.SelectMany(words => words.Distinct()).CountBy(word => word).ToDictionary();
        var fewest = FewestFor(texts.Length);
        return 2 * known.Sum(words => words.Count(word => textsOf[word] >= fewest)) > known.Sum(words => words.Length);
    }

    /// <summary>What a column of free text becomes; null where no word is in rows enough.</summary>
    /// <param name="column">The column.</param>
    /// <param name="fewest">The fewest rows that have a bucket that is a feature.</param>
    public static TextFeature? Fit(TableColumn column, out int fewest)
    {
        var (rows, texts) = (column.CountRows(), column.Texts.ToArray());
        var (counts, gate) = (new int[Buckets], new Lock());
        Parallel.For(0, texts.Length, code =>
        {
            if (rows[code] == 0) return;
            var found = TextFeature.Count(texts[code], Buckets, Words).Keys;
            lock (gate)
                foreach (var bucket in found) counts[bucket] += rows[code];
        });
        var least = fewest = FewestFor(column.Count);
        int[] kept = [.. Enumerable.Range(0, Buckets).Where(bucket => counts[bucket] >= least && counts[bucket] < column.Count)
            .OrderByDescending(bucket => counts[bucket]).ThenBy(bucket => bucket).Take(MostFeatures).Order()];
        return kept.Length == 0 ? null : new TextFeature(column.Name, Buckets, Words, kept);
    }

    /// <summary>For people: what was found, and what became of it.</summary>
    /// <param name="feature">The column.</param>
    /// <param name="texts">How many different texts it has.</param>
    /// <param name="fewest">The fewest rows that have a bucket that is a feature.</param>
    public static string Describe(this TextFeature feature, int texts, int fewest) =>
        $"{texts} different texts, whose words and pairs of words are counted in {feature.Buckets} buckets; those that {fewest} rows or more "
        + $"have are {feature.FeatureCount} features" + (feature.FeatureCount == MostFeatures ? ", the most common ones" : string.Empty);

    private static int FewestFor(int rows) => Math.Clamp(rows / RowsPerFewest, 2, FewestRows);

    // The words between white space that have letters, and how many of them begin with a capital; where there are no spaces, of each
    // letter half a word.
    private static (int Words, int Large) Look(string text)
    {
        var (words, large, alone, isNew) = (0, 0, 0, true);
        foreach (var rune in text.EnumerateRunes())
        {
            if (Rune.IsWhiteSpace(rune)) isNew = true;
            else if (TextFeature.IsWord(rune)) alone++;
            else if (isNew && Rune.IsLetter(rune))
            {
                (words, isNew) = (words + 1, false);
                if (Rune.IsUpper(rune)) large++;
            }
        }

        return (words + (alone / 2), large);
    }
}
