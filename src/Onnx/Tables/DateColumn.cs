using System.Globalization;
using System.Text.Json.Serialization;

namespace MlNetBatchNorm.Onnx.Tables;

/// <summary>
/// A column of dates, taken apart into columns that features are made from: how long after the first date, and where in the day, the week,
/// the month and the year. Only what differs between the training rows, and of what repeats only what they have seen twice.
/// </summary>
/// <remarks>
/// Clock and calendar are those that the text shows; a distance from UTC (14:05+02:00) counts where dates are compared with each other.
/// </remarks>
internal sealed class DateColumn
{
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

    /// <summary>How the dates of the column are written, for messages.</summary>
    [JsonIgnore]
    public string Example => Order switch
    {
        DateOrder.DayFirst => "as 31.12.2021, the day in front",
        DateOrder.MonthFirst => "as 12/31/2021, the month in front",
        _ => "as 2021-12-31",
    };

    /// <summary>Reads a text as the dates of this column are written.</summary>
    public bool TryRead(string text, out DateTimeOffset time)
    {
        time = default;
        return (Order is not null || !WrittenDate.NeedsOrder(text)) && WrittenDate.TryRead(text, () => Order!.Value, out time);
    }

    /// <summary>A part of a date as the number that its column has; NaN where it has texts.</summary>
    /// <param name="part">The part.</param>
    /// <param name="time">The date.</param>
    /// <param name="first">The date that <see cref="DatePart.Elapsed"/> counts from.</param>
    public static double NumberOf(DatePart part, DateTimeOffset time, DateTimeOffset first) => part switch
    {
        DatePart.Elapsed => (time - first).TotalDays,
        DatePart.TimeOfDay => time.TimeOfDay.TotalHours,
        DatePart.Weekday => double.NaN,
        DatePart.DayOfMonth => time.Day,
        DatePart.DayOfYear => time.DayOfYear,
        _ => throw new ArgumentOutOfRangeException(nameof(part), part, "There is no such part of a date."),
    };

    /// <summary>A part of a date as the text that its column has.</summary>
    /// <inheritdoc cref="NumberOf"/>
    public static string TextOf(DatePart part, DateTimeOffset time, DateTimeOffset first) => part == DatePart.Weekday
        ? CultureInfo.InvariantCulture.DateTimeFormat.GetDayName(time.DayOfWeek)
        : NumberOf(part, time, first).ToString("R", CultureInfo.InvariantCulture);
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
