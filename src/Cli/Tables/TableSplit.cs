using System.Globalization;
using MlNetBatchNorm.Trainer.Data;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>How the rows of a table are dealt out.</summary>
internal sealed record SplitOptions
{
    /// <summary>The share of the rows to test on, above 0 and below 1. Default: 0.2. Not used where there is a table for that.</summary>
    public double TestShare { get; init; } = 0.2;

    /// <summary>
    /// The share of the remaining rows to validate by, where groups or times decide which: otherwise the trainer draws them. Default: 0.
    /// </summary>
    public double ValidationShare { get; init; }

    /// <summary>The seed of what is drawn. Default: 0.</summary>
    public int Seed { get; init; }

    /// <summary>Rows with the same value in this column stay together; null (the default) = each row stands for itself.</summary>
    public string? Group { get; init; }

    /// <summary>The latest rows by this column of times are tested on; null (the default) = time does not matter.</summary>
    public string? Time { get; init; }

    /// <summary>Which number of a date is the day; null (the default) = what the column of times says.</summary>
    public DateOrder? DateOrder { get; init; }

    /// <summary>Whether the test rows are taken evenly from the table, in its order. Default: false, they are drawn.</summary>
    public bool FileOrder { get; init; }
}

/// <summary>A table in parts: rows to learn from, to validate by, and to test on.</summary>
/// <param name="Training">The rows to learn from.</param>
/// <param name="Validation">The rows to measure each epoch by; null = the trainer draws some of those to learn from.</param>
/// <param name="Test">The rows to test on.</param>
/// <param name="Rule">How the test rows were chosen, for people.</param>
internal sealed record TableSplit(CsvTable Training, CsvTable? Validation, TestTable Test, string Rule)
{
    // Whole groups seldom make up a share exactly; of so many drawings the one is taken that comes nearest.
    private const int Drawings = 100;

    /// <summary>Deals out the rows of a table.</summary>
    /// <param name="table">The table.</param>
    /// <param name="classes">The column whose values all parts should have alike, a label of classes; null = there is none.</param>
    /// <param name="options">How.</param>
    /// <param name="test">Rows to test on from elsewhere; null = some of the table's.</param>
    /// <exception cref="TableException">A column is not there, or its values cannot divide the rows.</exception>
    public static TableSplit Create(CsvTable table, string? classes, SplitOptions options, TestTable? test = null)
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(options);
        if (options.TestShare is not (> 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(options), options.TestShare, "The test part is above 0 and below 1.");
        var rule = $"those of {test?.FilePath}";
        var training = table;
        if (test is null) (training, test, rule) = Divide(table, classes, options, options.TestShare);
        if (options.ValidationShare == 0 || (options.Group ?? options.Time) is null) return new TableSplit(training, null, test, rule);
        var (learned, validation, _) = Divide(training, classes, options, options.ValidationShare);
        return new TableSplit(learned, validation, test, rule);
    }

    /// <summary>
    /// Takes test rows evenly from the whole table, starting with the first: with a share of 0.2 every fifth row. In a table that comes in
    /// rounds these are all of one kind.
    /// </summary>
    /// <param name="table">The table.</param>
    /// <param name="testShare">The share of test rows, above 0 and below 1.</param>
    public static (CsvTable Training, CsvTable Test) Every(CsvTable table, double testShare)
    {
        var isTest = Enumerable.Range(0, table.RowCount)
            .ToLookup(row => Math.Floor(row * testShare) > Math.Floor((row - 1) * testShare));
        return (table.Select([.. isTest[false]]), table.Select([.. isTest[true]]));
    }

    /// <summary>
    /// Divides rows to learn from into folds where groups or times decide: whole groups, as even as they can be; or parts that follow each
    /// other in time, of which each but the first is measured by what was learned from those before it.
    /// </summary>
    /// <param name="training">The rows.</param>
    /// <param name="options">How.</param>
    /// <param name="count">How many folds.</param>
    /// <returns>For each fold the rows to learn from and those to measure by; null = neither decides.</returns>
    /// <exception cref="TableException">There are too few groups or times.</exception>
    public static IReadOnlyList<(int[] Learned, int[] Held)>? DivideIntoFolds(CsvTable training, SplitOptions options, int count)
    {
        ArgumentNullException.ThrowIfNull(training);
        ArgumentNullException.ThrowIfNull(options);
        if ((options.Group ?? options.Time) is not { } name) return null;
        var column = training.Column(name);
        var of = new int[training.RowCount];
        var parts = options.Time is null ? count : count + 1;
        if (options.Time is not null)
        {
            var times = TableTimes.Read(training, column, options.DateOrder);
            int[] order = [.. Enumerable.Range(0, of.Length).OrderBy(row => times[row])];

            // What happened at the same time is in the same part: that of the first of them.
            for (var place = 0; place < order.Length; place++)
                of[order[place]] = place > 0 && times[order[place]].Equals(times[order[place - 1]])
                    ? of[order[place - 1]]
                    : (int)((long)place * parts / order.Length);
        }
        else
        {
            var groups = Enumerable.Range(0, of.Length).GroupBy(row => column.Codes[row]).Select(rows => rows.ToArray()).ToArray();
            new Random(options.Seed).Shuffle(groups);
            var rowsOf = new int[parts];
            foreach (var group in groups.OrderByDescending(rows => rows.Length))
            {
                var smallest = Array.IndexOf(rowsOf, rowsOf.Min());
                rowsOf[smallest] += group.Length;
                foreach (var row in group) of[row] = smallest;
            }
        }

        var rowsByPart = Enumerable.Range(0, of.Length).ToLookup(row => of[row]);
        if (rowsByPart.Count < parts)
            throw new TableException(
                $"{training.FilePath}: the rows to learn from do not make {parts} parts by column {NameList.Quote(name)}, as {count} folds "
                + "need; give fewer folds (--folds).");
        return [.. Enumerable.Range(parts - count, count).Select(fold => (
            Enumerable.Range(0, of.Length).Where(row => options.Time is null ? of[row] != fold : of[row] < fold).ToArray(),
            rowsByPart[fold].ToArray()))];
    }

    private static (CsvTable Kept, CsvTable Drawn, string Rule) Divide(CsvTable table, string? classes, SplitOptions options, double share)
    {
        var label = classes is null ? null : table.Find(classes);
        if (options.Time is not null) return Latest(table, table.Column(options.Time), share, options.DateOrder);
        if (options.Group is not null) return WholeGroups(table, table.Column(options.Group), label, share, options.Seed);
        if (options.FileOrder)
        {
            var (rest, part) = Every(table, share);
            return (rest, part, "taken evenly from the table, in its order");
        }

        var (kept, drawn) = StratifiedSample.Draw(label?.Codes ?? new int[table.RowCount], share, new Random(options.Seed));

        // Classes of one row each: whatever is wrong with that label is said where it is looked at.
        if (drawn.Length == 0 && label is not null)
            (kept, drawn) = StratifiedSample.Draw(new int[table.RowCount], share, new Random(options.Seed));
        RequireRows(table, kept.Length, drawn.Length, share);
        return (
            Part(table, kept), Part(table, drawn),
            $"drawn at random (--seed {options.Seed}){(label is null ? string.Empty : ", of each class its share")}");
    }

    private static (CsvTable Kept, CsvTable Drawn, string Rule) WholeGroups(
        CsvTable table, TableColumn column, TableColumn? label, double share, int seed)
    {
        RequireValues(table, column, "a group");
        var rowsOf = Enumerable.Range(0, table.RowCount).GroupBy(row => column.Codes[row]).Select(rows => rows.ToArray()).ToArray();
        if (rowsOf.Length < 2)
            throw new TableException(
                $"{table.FilePath}: the rows to divide have one value in column {NameList.Quote(column.Name)} ('{column[0]}'); whole "
                + "groups need two, and three with validation rows (--validation-fraction 0 leaves them out).");
        var random = new Random(seed);
        var counts = Count(Enumerable.Range(0, table.RowCount));
        var (best, nearest) = (new HashSet<int>(), double.PositiveInfinity);
        for (var drawing = 0; drawing < Drawings; drawing++)
        {
            random.Shuffle(rowsOf);
            var (rows, taken) = (0, 0);

            // Up to the group with which the part would be further from its share than without.
            while (taken < rowsOf.Length - 1 && (taken == 0 || rows + (rowsOf[taken].Length / 2.0) <= share * table.RowCount))
                rows += rowsOf[taken++].Length;
            var part = rowsOf.Take(taken).SelectMany(group => group).ToList();
            var distance = Distance(Count(part), part.Count);
            if (distance >= nearest) continue;
            (best, nearest) = ([.. part], distance);
        }

        var kept = Enumerable.Range(0, table.RowCount).Where(row => !best.Contains(row)).ToArray();
        var groups = best.Select(row => column.Codes[row]).Distinct().Count();
        return (
            Part(table, kept), Part(table, [.. best]),
            $"{groups} of {rowsOf.Length} groups by {column.Name}, drawn at random (--seed {seed})");

        Dictionary<int, int> Count(IEnumerable<int> rows) => label is null ? [] : rows.CountBy(row => label.Codes[row]).ToDictionary();

        // Of all rows and of each class; a class that nothing would be left of to learn from outweighs all else.
        double Distance(Dictionary<int, int> part, int rows) => Math.Abs(rows - (share * table.RowCount)) + counts.Sum(known =>
        {
            var taken = part.GetValueOrDefault(known.Key);
            return Math.Abs(taken - (share * known.Value)) + (taken == known.Value ? table.RowCount : 0);
        });
    }

    private static (CsvTable Kept, CsvTable Drawn, string Rule) Latest(
        CsvTable table, TableColumn column, double share, DateOrder? dateOrder)
    {
        RequireValues(table, column, "a time");
        var times = TableTimes.Read(table, column, dateOrder);
        int[] order = [.. Enumerable.Range(0, table.RowCount).OrderBy(row => times[row])];
        var cut = Math.Clamp(table.RowCount - (int)Math.Round(share * table.RowCount), 1, table.RowCount - 1);

        // What happened at the same time is not divided: at the near end of such rows, or at the far end.
        var (before, after) = (cut, cut);
        while (before > 0 && IsSame(before)) before--;
        while (after < order.Length && IsSame(after)) after++;
        cut = before == 0 || (after < order.Length && after - cut < cut - before) ? after : before;
        if (cut == order.Length)
            throw new TableException(
                $"{table.FilePath}: the rows to divide have one time in column {NameList.Quote(column.Name)} ('{column[0]}'); nothing is "
                + "later.");
        return (Part(table, order[..cut]), Part(table, order[cut..]), $"the latest by {column.Name}, from {column[order[cut]]} on");

        bool IsSame(int place) => times[order[place]].Equals(times[order[place - 1]]);
    }

    private static void RequireValues(CsvTable table, TableColumn column, string what)
    {
        for (var row = 0; row < column.Count; row++)
            if (column.IsMissing(row)) throw table.CellError(row, column.Name, $"every row needs {what}: fill it in or remove the row.");
    }

    private static void RequireRows(CsvTable table, int kept, int drawn, double share)
    {
        if (kept > 0 && drawn > 0) return;
        throw new TableException(string.Create(
            CultureInfo.InvariantCulture,
            $"{table.FilePath}: of {table.RowCount} rows a share of {share:0.###} is {drawn} to test on and {kept} to learn from; add "
                + $"rows, or give others to test on (--test)."));
    }

    // In the order of the file, whatever order they were drawn in.
    private static CsvTable Part(CsvTable table, int[] rows)
    {
        Array.Sort(rows);
        return table.Select(rows);
    }
}
