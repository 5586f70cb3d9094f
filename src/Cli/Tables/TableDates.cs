using System.Globalization;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>Finds the columns of dates in a table, and takes them apart.</summary>
internal static class TableDates
{
    // So many texts say whether a column may be one of dates.
    private const int FirstTexts = 32;

    /// <summary>Looks whether a column has dates, all of its texts.</summary>
    /// <param name="table">The table.</param>
    /// <param name="column">The column.</param>
    /// <param name="options">What the table cannot tell.</param>
    /// <param name="problem">Why a column that looks like dates is none, with an example and the cure; null = it does not.</param>
    public static DateColumn? Infer(CsvTable table, TableColumn column, TableSchemaOptions options, out string? problem)
    {
        problem = null;
        if (column.Numbers is not null) return null;
        var rows = column.CountRows();
        string[] texts =
            [.. Enumerable.Range(0, rows.Length).Where(code => rows[code] > 0 && column.Values[code].Kind != CellKind.Missing)
                .Select(code => column.Texts[code])];
        if (texts.Length < 2 || !IsMostly(texts.AsSpan(0, Math.Min(texts.Length, FirstTexts)))) return null;

        var order = Array.Exists(texts, WrittenDate.NeedsOrder) ? options.DateOrder ?? WrittenDate.FindOrder(texts) : null;
        var example = Array.Find(texts, WrittenDate.NeedsOrder);
        var cure = $"or leave the column out (--ignore {column.Name})";
        if (example is not null && order is null)
        {
            problem = $"has dates that do not say which number is the day and which the month, as {NameList.Quote(example)}; say "
                + $"--date-order dmy or mdy, {cure}";
            return null;
        }

        var times = new List<DateTimeOffset>(texts.Length);
        var stray = Array.Find(texts, text => !TryAdd(text));
        if (stray is null)
            return OfTimes(table, column.Name, order, times, withoutElapsed: options.Time == column.Name);
        if (IsMostly(texts))
            problem = $"has dates, but {NameList.Quote(stray)} is none like the others; mend it, leave the field empty, {cure}";
        return null;

        bool TryAdd(string text)
        {
            if (!WrittenDate.TryRead(text, () => order!.Value, out var time)) return false;
            times.Add(time);
            return true;
        }
    }

    /// <summary>The parts of a table's column.</summary>
    /// <param name="date">What is known of the column.</param>
    /// <param name="table">The table.</param>
    /// <exception cref="TableException">It has no such column, or a text in it that is no date.</exception>
    public static IEnumerable<TableColumn> Read(this DateColumn date, CsvTable table)
    {
        var column = table.Column(date.Name);
        var rows = column.CountRows();
        var times = new DateTimeOffset?[rows.Length];
        for (var code = 0; code < rows.Length; code++)
        {
            if (rows[code] == 0 || column.Values[code].Kind == CellKind.Missing) continue;
            if (!date.TryRead(column.Texts[code], out var time))
                throw table.CellError(
                    column.FirstRowWith(code),
                    date.Name,
                    $"{NameList.Quote(column.Texts[code])} is not a date as those of this column are written ({date.Example}); fix it "
                    + "or leave the field empty.");
            times[code] = time;
        }

        return date.Parts.Select(part =>
        {
            // Thousands of dates are seven days of the week.
            var (places, texts) = (new Dictionary<string, int>(), new List<string>());
            var placeOf = Array.ConvertAll(times, time =>
            {
                var text = time is { } known ? DateColumn.TextOf(part.Part, known, date.First) : string.Empty;
                if (places.TryAdd(text, texts.Count)) texts.Add(text);
                return places[text];
            });
            return new TableColumn(part.Name, [.. texts], Array.ConvertAll(column.Codes, code => placeOf[code]));
        });
    }

    /// <summary>For people: from when to when, and what became of it.</summary>
    /// <param name="date">The column.</param>
    /// <param name="last">The latest date.</param>
    public static string Describe(this DateColumn date, DateTimeOffset last) =>
        $"dates from {Plain(date.First)} to {Plain(last)}: {string.Join(", ", date.Parts.Select(part => Word(part.Part)))}";

    /// <summary>The latest date of a table.</summary>
    public static DateTimeOffset LastOf(this DateColumn date, CsvTable table)
    {
        var column = table.Column(date.Name);
        var (rows, last) = (column.CountRows(), date.First);
        for (var code = 0; code < rows.Length; code++)
            if (rows[code] > 0 && date.TryRead(column.Texts[code], out var time) && time > last) last = time;
        return last;
    }

    private static DateColumn? OfTimes(
        CsvTable table, string name, DateOrder? order, List<DateTimeOffset> times, bool withoutElapsed)
    {
        var (first, last) = (times.Min(), times.Max());
        var span = last - first;
        var parts = Enum.GetValues<DatePart>()
            .Where(part => !(withoutElapsed && part == DatePart.Elapsed) && span >= 2 * Period(part))
            .Where(part => times.Select(time => DateColumn.TextOf(part, time, first)).Distinct().Skip(1).Any())
            .Select(part => new DatePartColumn(part, FreeName(table, $"{name} ({Word(part)})")))
            .ToList();
        return parts.Count == 0 ? null : new DateColumn(name, first, parts, order);
    }

    private static bool IsMostly(ReadOnlySpan<string> texts)
    {
        var dates = 0;
        foreach (var text in texts)
            if (WrittenDate.TryRead(text, () => DateOrder.DayFirst, out _) || WrittenDate.TryRead(text, () => DateOrder.MonthFirst, out _))
                dates++;
        return dates >= TableNumbers.MostlyNumbers * texts.Length;
    }

    // After what time it begins again; of one that never does any length will do.
    private static TimeSpan Period(DatePart part) => part switch
    {
        DatePart.TimeOfDay => TimeSpan.FromDays(1),
        DatePart.Weekday => TimeSpan.FromDays(7),
        DatePart.DayOfMonth => TimeSpan.FromDays(31),
        DatePart.DayOfYear => TimeSpan.FromDays(366),
        _ => TimeSpan.Zero,
    };

    private static string Word(DatePart part) => part switch
    {
        DatePart.Elapsed => "days since the first",
        DatePart.TimeOfDay => "hour of the day",
        DatePart.Weekday => "day of the week",
        DatePart.DayOfMonth => "day of the month",
        _ => "day of the year",
    };

    private static string Plain(DateTimeOffset time) =>
        time.ToString(time.TimeOfDay == TimeSpan.Zero ? "yyyy-MM-dd" : "yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);

    private static string FreeName(CsvTable table, string name)
    {
        while (table.Find(name) is not null) name = $"({name})";
        return name;
    }
}
