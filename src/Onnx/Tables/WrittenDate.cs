using System.Globalization;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace MlNetBatchNorm.Onnx.Tables;

/// <summary>What the numbers of a date written in numbers are, from left to right, where the year is not in front.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DateOrder>))]
internal enum DateOrder
{
    /// <summary>31.12.2021, or any date whose month is a word or whose year is in front.</summary>
    [JsonStringEnumMemberName("dmy")]
    DayFirst,

    /// <summary>12/31/2021, or any date whose month is a word or whose year is in front.</summary>
    [JsonStringEnumMemberName("mdy")]
    MonthFirst,
}

/// <summary>Reads dates as tables have them: 2021-03-31, 2021-03-31 14:05, 31.03.2021, 3/31/21, 31 Mar 2021, all with a year.</summary>
internal static partial class WrittenDate
{
    // Years beyond are numbers of something else.
    private const int EarliestYear = 1700, LatestYear = 2300;

    /// <summary>Which of the numbers is the day; null where the texts leave it open.</summary>
    /// <param name="texts">Texts of a column; those that are no dates in numbers say nothing.</param>
    /// <remarks>31.12.2021 says it by itself, 01.02.2021 by its points; 01/02/2021 only beside others.</remarks>
    public static DateOrder? FindOrder(IEnumerable<string> texts)
    {
        var (first, second, points) = (0, 0, true);
        foreach (var text in texts)
        {
            if (Numbers().Match(text) is not { Success: true } date) continue;
            first = Math.Max(first, Number(date, 1));
            second = Math.Max(second, Number(date, 2));
            points &= text.Contains('.', StringComparison.Ordinal);
        }

        if (first > 12 != second > 12) return first > 12 ? DateOrder.DayFirst : DateOrder.MonthFirst;
        return first <= 12 && points ? DateOrder.DayFirst : null;
    }

    /// <summary>Whether it takes a <see cref="DateOrder"/> to read a text.</summary>
    public static bool NeedsOrder(string text) => Numbers().IsMatch(text);

    /// <summary>Reads a date, with a time of day or without (midnight).</summary>
    /// <param name="text">The text.</param>
    /// <param name="order">Which of its numbers is the day, asked for where it matters.</param>
    /// <param name="time">The clock as it was written, and how far it is from UTC, where the text says so.</param>
    public static bool TryRead(string text, Func<DateOrder> order, out DateTimeOffset time)
    {
        time = default;
        if (text.Length == 0 || !(char.IsAsciiDigit(text[0]) || char.IsAsciiLetter(text[0]))) return false;
        var iso = text;
        if (Numbers().Match(text) is { Success: true } date)
        {
            // 23-01-31 may be a day of 2023 or of 2031.
            if (date.Groups[3].Length == 2 && date.Value.Contains('-', StringComparison.Ordinal)) return false;
            var isDayFirst = order() == DateOrder.DayFirst;
            var (day, month) = isDayFirst ? (Number(date, 1), Number(date, 2)) : (Number(date, 2), Number(date, 1));
            var year = Number(date, 3);
            iso = $"{(year < 100 ? year + (year < 70 ? 2000 : 1900) : year):0000}-{month:00}-{day:00}{text[date.Length..]}";
        }

        // Without a year of four digits, Jan-20 may be a day or a month of 2020, and 15 Oct any year's.
        if (!YearOfFourDigits().IsMatch(iso)) return false;
        const DateTimeStyles styles = DateTimeStyles.AssumeUniversal | DateTimeStyles.AllowWhiteSpaces;
        return DateTimeOffset.TryParse(iso, CultureInfo.InvariantCulture, styles, out time)
            && IsDate(time);
    }

    /// <summary>Whether a time is one that tables tell of, rather than a number of something else.</summary>
    public static bool IsDate(DateTimeOffset time) => time.Year is >= EarliestYear and <= LatestYear;

    private static int Number(Match match, int group) => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^(\d{1,2})[./-](\d{1,2})[./-](\d{4}|\d{2})(?=$|[ T])", RegexOptions.CultureInvariant | RegexOptions.ECMAScript)]
    private static partial Regex Numbers();

    [GeneratedRegex(@"(?<!\d)\d{4}(?!\d)|^\d{8}(?!\d)", RegexOptions.CultureInvariant)]
    private static partial Regex YearOfFourDigits();
}
