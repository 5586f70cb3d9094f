using System.Buffers;
using System.Globalization;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>Decides what a column becomes.</summary>
internal sealed class ColumnInference
{
    /// <summary>
    /// Up to so many different texts are categories in a table of any size; beyond, texts that hardly repeat are identifiers.
    /// </summary>
    public const int FewTexts = 20;

    // With fewer rows than this, a category has no vector of its own: there is too little to learn it from.
    private const int FewestRows = 5;

    // The vectors of more would be larger than any table's.
    private const int MostEmbedded = 100_000;

    // So many numbers, drawn of all, say where the middle of a column is.
    private const int ManyRows = 1 << 16;

    private readonly CsvTable _table;
    private readonly TableColumn _column;
    private readonly ColumnNumbers _numbers;
    private readonly TableSchemaOptions _options;
    private readonly Lazy<int[]> _rowsOf;
    private readonly int _missingRows;

    private ColumnInference(CsvTable table, TableColumn column, ColumnNumbers numbers, TableSchemaOptions options)
    {
        _table = table;
        _column = column.ReadAs(numbers.Format);
        _numbers = numbers;
        _options = options;
        _rowsOf = new Lazy<int[]>(column.CountRows);
        _missingRows = CountRows(CellKind.Missing);
    }

    /// <summary>Describes a column; the feature is null when the column is dropped.</summary>
    /// <param name="table">The table.</param>
    /// <param name="column">The column.</param>
    /// <param name="numbers">How its numbers are written, if it has any.</param>
    /// <param name="options">What the table cannot tell.</param>
    public static (FeatureColumn? Feature, ColumnReport Report) Infer(
        CsvTable table, TableColumn column, ColumnNumbers numbers, TableSchemaOptions options) =>
        new ColumnInference(table, column, numbers, options).Infer();

    /// <summary>Says of a column whose numbers have more digits than float64 which of them have become one; null where none have.</summary>
    /// <param name="column">The column.</param>
    /// <remarks>Of a column of many numbers the first rows are looked at.</remarks>
    public static string? FindLostDigits(TableColumn column)
    {
        var (exact, merged) = (new Dictionary<double, decimal>(), new HashSet<decimal>());
        var example = (First: string.Empty, Second: string.Empty);
        foreach (var (number, digits) in column.Numbers is null ? DigitsOfTexts(column) : DigitsOfNumbers(column))
        {
            if (exact.TryAdd(number, digits) || exact[number] == digits || !merged.Add(digits)) continue;
            if (merged.Count == 1) example = (Text(exact[number]), Text(digits));
        }

        // A few of many are the last digits of some computation.
        if (merged.Count * 100 <= exact.Count) return null;
        return $"{example.First} and {example.Second} are one number in float64, which keeps 15 to 17 digits ({merged.Count} "
            + "in all are taken for another). Take off what all rows have in common, or take the column as categories.";

        static string Text(decimal number) => number.ToString(CultureInfo.InvariantCulture);
    }

    private static IEnumerable<(double Number, decimal Digits)> DigitsOfTexts(TableColumn column)
    {
        var rows = column.CountRows();
        var isLong = Enumerable.Range(0, rows.Length).Any(code => rows[code] > 0 && column.Texts[code].Length > NumberTraits.AlwaysKept);
        if (!isLong) yield break;
        for (var code = 0; code < rows.Length; code++)
            if (rows[code] > 0 && column.Values[code].Kind == CellKind.Number && column.TryReadExact(code, out var digits))
                yield return (column.Values[code].Number, digits);
    }

    private static IEnumerable<(double Number, decimal Digits)> DigitsOfNumbers(TableColumn column)
    {
        // Beyond, a decimal has no room.
        const double Most = 1e28;
        if (column.Numbers!.Traits.Exact is not { Count: > 0 } known) yield break;
        var exact = known.ToDictionary(cell => cell.Row, cell => cell.Number);
        for (var row = 0; row < column.Count; row++)
        {
            if (column.StoredRow(row) >= CsvTableReader.ExactRows) continue;
            var number = column.NumberAt(row);
            if (exact.TryGetValue(column.StoredRow(row), out var digits)) yield return (number, digits);
            else if (Math.Abs(number) < Most) yield return (number, (decimal)number);
        }
    }

    private (FeatureColumn? Feature, ColumnReport Report) Infer()
    {
        if (_options.Ignore.Contains(_column.Name))
            return Without(ColumnKind.Ignored, "ignored as asked");
        if (_options.Group == _column.Name)
            return Without(ColumnKind.Ignored, "rows with the same value stay together");
        if (_options.Weight == _column.Name)
            return (null, Without(ColumnKind.Weight, "the weight of each row").Report with { Reading = _numbers.Reading });
        if (_missingRows == _column.Count)
            return Without(ColumnKind.Dropped, "no row has a value");
        if (_options.Categorical.Contains(_column.Name))
            return AsCategories(limited: false);
        if (_options.Text.Contains(_column.Name))
            return AsText();

        var texts = _column.Numbers is null ? CountRows(CellKind.Text) : 0;
        var numbers = _column.Count - _missingRows - texts;
        if (texts == 0)
            return AsNumbers();
        if (_options.Time == _column.Name)
            return Without(ColumnKind.Dropped, "times, which no later row has");
        RejectStrayTexts(texts, numbers);
        var (feature, report) = AsCategories(limited: true);
        var (name, problem) = (_column.Name, _numbers.Problem);
        var cure = $"write them alike, or take the column as categories (--categorical {name}) or leave it out (--ignore {name})";
        return (feature, report with { Problem = problem is null ? report.Problem : $"{problem}; {cure}" });
    }

    private (FeatureColumn? Feature, ColumnReport Report) AsNumbers()
    {
        // Of a large table it is as large as a feature, so that one after the other they all use the same.
        var rented = ArrayPool<double>.Shared.Rent(_column.Count);
        try
        {
            // Throws where a number is infinite.
            var numbers = rented.AsSpan(0, _column.Count);
            _column.CopyRowsTo(numbers, _table, double.NaN);
            return AsNumbers(numbers);
        }
        finally
        {
            ArrayPool<double>.Shared.Return(rented);
        }
    }

    private (FeatureColumn? Feature, ColumnReport Report) AsNumbers(ReadOnlySpan<double> numbers)
    {
        var (least, most) = (double.PositiveInfinity, double.NegativeInfinity);
        foreach (var number in numbers)
        {
            if (double.IsNaN(number)) continue;
            (least, most) = (Math.Min(least, number), Math.Max(most, number));
        }

        if (least == most && !_options.KeepConstants)
            return Without(ColumnKind.Dropped, Constant(least, FindLostDigits(_column)));

        // Means of numbers that are close to each other: what float32 has room for depends on the column.
        var (values, rows) = Count(numbers, least, most);
        var map = Float32Map.For(values, rows);
        var sum = 0.0;
        foreach (var number in numbers)
            if (!double.IsNaN(number)) sum += map.IsPlain ? (float)number : number - map.Offset;
        var mean = sum / (_column.Count - _missingRows);
        mean = map.IsPlain ? (float)mean : mean + map.Offset;
        // A few numbers far beyond all others, which no feature can be, are said below; their mean is none.
        if (!float.IsFinite(map.Apply(mean))) mean = Float32Map.Middle(values, rows).Median;
        var imputed = _missingRows > 0 ? $"; {Rows(_missingRows)} without a value get the mean" : "";
        var detail = map.Offset == 0
            ? string.Create(CultureInfo.InvariantCulture, $"{least:G6} to {most:G6}, mean {mean:G6}{imputed}")
            : string.Create(
                CultureInfo.InvariantCulture,
                $"{least} to {most}, mean {mean}, counted from {map.Offset} on: float32 would lose what tells them apart{imputed}");
        var feature = new NumericFeature(
            _column.Name, mean, map.Offset == 0 ? null : map.Offset, map.Scale == 1 ? null : map.Scale, _numbers.Format);
        var lost = FindLostDigits(_column) ?? FindFarNumber(numbers, Float32Map.Middle(values, rows), least, most);
        return (
            feature,
            new(_column.Name, ColumnKind.Numeric, detail, _missingRows, 1, []) { Lost = lost, Reading = _numbers.Reading });
    }

    // The different numbers with the rows that have them. Where there are many rows, of some of them, with the least and the most of all.
    private static (double[] Numbers, int[] Rows) Count(ReadOnlySpan<double> numbers, double least, double most)
    {
        var count = 0;
        foreach (var number in numbers)
            if (!double.IsNaN(number)) count++;
        var known = new double[Math.Min(count, ManyRows)];
        if (count <= ManyRows)
        {
            var place = 0;
            foreach (var number in numbers)
                if (!double.IsNaN(number)) known[place++] = number;
        }
        else
        {
            var random = new Random(0);
            (known[0], known[1]) = (least, most);
            for (var i = 2; i < known.Length; i++)
            {
                // Missing ones are passed over.
                double drawn;
                do drawn = numbers[random.Next(numbers.Length)];
                while (double.IsNaN(drawn));
                known[i] = drawn;
            }
        }

        Array.Sort(known);
        var (values, rows) = (new List<double>(), new List<int>());
        foreach (var number in known)
        {
            if (values.Count == 0 || values[^1] != number)
            {
                values.Add(number);
                rows.Add(0);
            }

            rows[^1]++;
        }

        return ([.. values], [.. rows]);
    }

    /// <summary>
    /// Says of a column in which most numbers are so close to each other, beside how far a few are away, that a network will not tell them
    /// apart: 0 for "none" among order numbers, 9999-12-31 among times. Null where there is no such number.
    /// </summary>
    private static string? FindFarNumber(ReadOnlySpan<double> numbers, (double Median, double Spread) middle, double least, double most)
    {
        // Standardized, half of the numbers would lie within this of each other.
        const double Least = 1e-4;
        var (median, spread) = middle;
        var (count, square) = (0, 0.0);
        foreach (var number in numbers)
        {
            if (double.IsNaN(number)) continue;
            count++;
            square += Math.Pow((number - median) / spread, 2);
        }

        if (spread == 0 || Math.Sqrt(square / count) * Least < 1) return null;
        var far = median - least > most - median ? least : most;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{far} is so far from the others, of which half are within {spread:G6} of {median}, that the network will hardly tell those "
                + $"apart; where it stands for \"no value\", leave the field empty.");
    }

    // Never "the same" of what the table writes as different numbers.
    private static string Constant(double number, string? lost) => lost
        ?? string.Create(CultureInfo.InvariantCulture, $"the same number ({number}) in every row that has one");

    private (FeatureColumn? Feature, ColumnReport Report) AsCategories(bool limited)
    {
        var counts = CountCategories();
        var distinct = counts.Count;
        if (distinct == 1 && _missingRows == 0)
            return Without(ColumnKind.Dropped, $"the same text ({NameList.Quote(counts[0].Category)}) in every row");
        if (limited && distinct > FewTexts && distinct > (_column.Count - _missingRows) / 2)
        {
            if (TableTexts.AreFree(_column)) return AsText();
            var (dropped, report) = Without(
                ColumnKind.Dropped,
                $"{distinct} different texts in {Rows(_column.Count)}: identifiers, names or the like (--text {_column.Name} takes their "
                    + "words)");
            return (dropped, report with { Problem = DescribeMixed() });
        }
        if (distinct > _options.MaxCategories)
            return limited && IsMostlyRare(counts) && TableTexts.AreFree(_column) ? AsText() : AsEmbedding(counts);

        string[] categories = [.. counts.Select(count => count.Category)];
        var missing = _missingRows > 0 ? CategoricalFeature.MissingTextBeside(categories) : null;
        if (missing is not null)
            counts.Add(new(missing, _missingRows));
        var feature = new CategoricalFeature(_column.Name, categories, missing);
        var detail = $"{distinct} categories";
        if (missing is not null)
            detail += $", and {missing} for {Rows(_missingRows)} without a value";
        return (feature, new(_column.Name, ColumnKind.Categorical, detail, _missingRows, feature.FeatureCount, counts));
    }

    // Texts that few rows have are all one to an embedding.
    private static bool IsMostlyRare(List<CategoryCount> counts) =>
        2 * counts.Where(count => count.Rows < FewestRows).Sum(count => (long)count.Rows) > counts.Sum(count => (long)count.Rows);

    private (FeatureColumn? Feature, ColumnReport Report) AsText()
    {
        var rows = _rowsOf.Value;
        var distinct = Enumerable.Range(0, rows.Length).Count(code => rows[code] > 0 && _column.Values[code].Kind != CellKind.Missing);
        if (TableTexts.Fit(_column, out var fewest) is not { } feature)
            return Without(ColumnKind.Dropped, $"{distinct} different texts, but no word that {fewest} rows have and others do not");
        var detail = feature.Describe(distinct, fewest);
        if (_missingRows > 0) detail += $"; {Rows(_missingRows)} without a value have no words";
        return (feature, new(_column.Name, ColumnKind.Text, detail, _missingRows, feature.FeatureCount, []));
    }

    private (FeatureColumn? Feature, ColumnReport Report) AsEmbedding(List<CategoryCount> counts)
    {
        string[] categories = [.. counts.Where(count => count.Rows >= FewestRows).Select(count => count.Category)];
        string[] rare = [.. counts.Where(count => count.Rows < FewestRows).Select(count => count.Category)];
        if (categories.Length is < 2 or > MostEmbedded)
            return Without(
                ColumnKind.Dropped,
                $"{counts.Count} categories, {categories.Length} of them in {FewestRows} rows or more: "
                    + (categories.Length < 2 ? "too little to learn each from" : $"more than the limit of {MostEmbedded}"));
        var missing = _missingRows >= FewestRows ? CategoricalFeature.MissingTextBeside([.. categories, .. rare]) : null;
        var feature = new EmbeddedFeature(_column.Name, categories, missing, rare);
        var detail = $"{counts.Count} categories, embedded";
        if (rare.Length > 0) detail += $"; {rare.Length} of them, in fewer than {FewestRows} rows each, count as one";
        if (missing is not null) detail += $", and {missing} for {Rows(_missingRows)} without a value";
        return (feature, new(_column.Name, ColumnKind.Embedded, detail, _missingRows, 1, []));
    }

    private void RejectStrayTexts(int texts, int numbers)
    {
        if (numbers < TableNumbers.MostlyNumbers * (numbers + texts))
            return;

        var row = FirstRow(CellKind.Text);
        var others = texts == 1 ? "all other values" : $"{numbers} of the {numbers + texts} values";
        var written = _numbers.Format.Equals(NumberFormat.Plain) ? string.Empty : $", written {_numbers.Format}";
        throw _table.CellError(
            row, _column.Name, $"{NameList.Quote(_column[row])} is not a number, but {others} of this column are{written}; " +
            $"fix it, leave the field empty, or take the column as categories (--categorical {_column.Name}).");
    }

    // Numbers with words between them are no text; null where there are few numbers.
    private string? DescribeMixed()
    {
        var (texts, all) = (CountRows(CellKind.Text), _column.Count - _missingRows);
        if (2 * (all - texts) < all) return null;
        var text = NameList.Quote(_column[FirstRow(CellKind.Text)]);
        return $"is left out, although {all - texts} of its {all} values are numbers: {text} is none; leave such fields empty, or leave "
            + $"the column out (--ignore {_column.Name})";
    }

    private List<CategoryCount> CountCategories()
    {
        var counts = new List<CategoryCount>();
        var rows = _rowsOf.Value;
        for (var code = 0; code < rows.Length; code++)
        {
            if (rows[code] > 0 && _column.Values[code].Kind != CellKind.Missing)
                counts.Add(new(_column.Texts[code], rows[code]));
        }

        counts.Sort((a, b) => string.CompareOrdinal(a.Category, b.Category));
        return counts;
    }

    private (FeatureColumn? Feature, ColumnReport Report) Without(ColumnKind kind, string reason) =>
        (null, new(_column.Name, kind, reason, _missingRows, 0, []));

    private int CountRows(CellKind kind)
    {
        var count = 0;
        if (_column.Numbers is not null)
        {
            for (var row = 0; row < _column.Count; row++)
                if (double.IsNaN(_column.NumberAt(row)) == (kind == CellKind.Missing)) count++;
            return count;
        }

        var rows = _rowsOf.Value;
        for (var code = 0; code < rows.Length; code++)
            count += _column.Values[code].Kind == kind ? rows[code] : 0;
        return count;
    }

    private int FirstRow(CellKind kind) => Array.FindIndex(_column.Codes, code => _column.Values[code].Kind == kind);

    private static string Rows(int count) => count == 1 ? "1 row" : $"{count} rows";
}
