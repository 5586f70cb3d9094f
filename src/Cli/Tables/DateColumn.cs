using System.Globalization;
using System.Text.Json.Serialization;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// A column of dates, taken apart into columns that features are made from: how long after the first date, and where in the day, the week,
/// the month and the year. Only what differs between the training rows, and of what repeats only what they have seen twice.
/// </summary>
/// <remarks>
/// Clock and calendar are those that the text shows; a distance from UTC (14:05+02:00) counts where dates are compared with each other.
/// </remarks>
internal sealed class DateColumn
{
    // So many texts say whether a column may be one of dates.
    private const int FirstTexts = 32;

    /// <summary>Describes a column of dates.</summary>
    /// <param name="name">The column of the table.</param>
    /// <param name="first">The date that <see cref="DatePart.Elapsed"/> counts from.</param>
    /// <param name="parts">What it is taken apart into.</param>
    /// <param name="order">Which number of a date is the day; null where none was written in numbers with the year behind.</param>
    [JsonConstructor]
    public DateColumn(string name, DateTimeOffset first, IReadOnlyList<DatePartColumn> parts, DateOrder? order = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(parts);
        if (parts.Any(part => part is null)) throw new ArgumentException($"A part of column '{name}' is null.", nameof(parts));
        (Name, Order, First, Parts) = (name, order, first, parts);
    }

    /// <summary>The column of the table.</summary>
    public string Name { get; }

    /// <summary>Which number of a date is the day; null where none was written in numbers with the year behind.</summary>
    public DateOrder? Order { get; }

    /// <summary>The date that <see cref="DatePart.Elapsed"/> counts from: the earliest of the training rows.</summary>
    public DateTimeOffset First { get; }

    /// <summary>What it is taken apart into, each a column of its own.</summary>
    public IReadOnlyList<DatePartColumn> Parts { get; }

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
    /// <param name="table">The table.</param>
    /// <exception cref="TableException">It has no such column, or a text in it that is no date.</exception>
    public IEnumerable<TableColumn> Read(CsvTable table)
    {
        var column = table.Column(Name);
        var rows = column.CountRows();
        var times = new DateTimeOffset?[rows.Length];
        for (var code = 0; code < rows.Length; code++)
        {
            if (rows[code] == 0 || column.Values[code].Kind == CellKind.Missing) continue;
            if (!TryRead(column.Texts[code], out var time))
                throw table.CellError(
                    column.FirstRowWith(code),
                    Name,
                    $"{NameList.Quote(column.Texts[code])} is not a date as those of this column are written ({Example}); fix it "
                    + "or leave the field empty.");
            times[code] = time;
        }

        return Parts.Select(part =>
        {
            // Thousands of dates are seven days of the week.
            var (places, texts) = (new Dictionary<string, int>(), new List<string>());
            var placeOf = Array.ConvertAll(times, time =>
            {
                var text = time is { } known ? TextOf(part.Part, known) : string.Empty;
                if (places.TryAdd(text, texts.Count)) texts.Add(text);
                return places[text];
            });
            return new TableColumn(part.Name, [.. texts], Array.ConvertAll(column.Codes, code => placeOf[code]));
        });
    }

    /// <summary>For people: from when to when, and what became of it.</summary>
    /// <param name="last">The latest date.</param>
    public string Describe(DateTimeOffset last) =>
        $"dates from {Plain(First)} to {Plain(last)}: {string.Join(", ", Parts.Select(part => Word(part.Part)))}";

    /// <summary>The latest date of a table.</summary>
    public DateTimeOffset LastOf(CsvTable table)
    {
        var column = table.Column(Name);
        var (rows, last) = (column.CountRows(), First);
        for (var code = 0; code < rows.Length; code++)
            if (rows[code] > 0 && TryRead(column.Texts[code], out var time) && time > last) last = time;
        return last;
    }

    private static DateColumn? OfTimes(
        CsvTable table, string name, DateOrder? order, List<DateTimeOffset> times, bool withoutElapsed)
    {
        var (first, last) = (times.Min(), times.Max());
        var span = last - first;
        var parts = Enum.GetValues<DatePart>()
            .Where(part => !(withoutElapsed && part == DatePart.Elapsed) && span >= 2 * Period(part))
            .Where(part => times.Select(time => TextOf(part, time, first)).Distinct().Skip(1).Any())
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

    private bool TryRead(string text, out DateTimeOffset time)
    {
        time = default;
        return (Order is not null || !WrittenDate.NeedsOrder(text)) && WrittenDate.TryRead(text, () => Order!.Value, out time);
    }

    private string TextOf(DatePart part, DateTimeOffset time) => TextOf(part, time, First);

    private static string TextOf(DatePart part, DateTimeOffset time, DateTimeOffset first) => part switch
    {
        DatePart.Elapsed => Number((time - first).TotalDays),
        DatePart.TimeOfDay => Number(time.TimeOfDay.TotalHours),
        DatePart.Weekday => CultureInfo.InvariantCulture.DateTimeFormat.GetDayName(time.DayOfWeek),
        DatePart.DayOfMonth => Number(time.Day),
        DatePart.DayOfYear => Number(time.DayOfYear),
        _ => throw new ArgumentOutOfRangeException(nameof(part), part, "There is no such part of a date."),
    };

    private static string Number(double number) => number.ToString("R", CultureInfo.InvariantCulture);

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

    private string Example => Order switch
    {
        DateOrder.DayFirst => "as 31.12.2021, the day in front",
        DateOrder.MonthFirst => "as 12/31/2021, the month in front",
        _ => "as 2021-12-31",
    };

    private static string Plain(DateTimeOffset time) =>
        time.ToString(time.TimeOfDay == TimeSpan.Zero ? "yyyy-MM-dd" : "yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);

    private static string FreeName(CsvTable table, string name)
    {
        while (table.Find(name) is not null) name = $"({name})";
        return name;
    }
}

/// <summary>What a date is taken apart into.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DatePart>))]
internal enum DatePart
{
    /// <summary>The days since <see cref="DateColumn.First"/>, a number with the part of a day behind the point.</summary>
    [JsonStringEnumMemberName("days")]
    Elapsed,

    /// <summary>The hours since midnight, a number below 24.</summary>
    [JsonStringEnumMemberName("hour")]
    TimeOfDay,

    /// <summary>The day of the week, a category: Monday to Sunday.</summary>
    [JsonStringEnumMemberName("weekday")]
    Weekday,

    /// <summary>1 to 31.</summary>
    [JsonStringEnumMemberName("dayOfMonth")]
    DayOfMonth,

    /// <summary>1 to 366.</summary>
    [JsonStringEnumMemberName("dayOfYear")]
    DayOfYear,
}

/// <summary>A part of a date as a column.</summary>
/// <param name="Part">The part.</param>
/// <param name="Name">What the column is called.</param>
internal sealed record DatePartColumn(DatePart Part, string Name);
