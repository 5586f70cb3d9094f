using System.Globalization;
using System.Text.RegularExpressions;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>A column of times as numbers that grow with time: numbers as they are, or dates.</summary>
internal static partial class TableTimes
{
    private const string Advice = "write numbers, or dates as 2021-03-31 or 2021-03-31 14:05";

    /// <summary>The time of each row.</summary>
    /// <exception cref="TableException">A row has no time, or dates do not say which is the day and which the month.</exception>
    public static double[] Read(CsvTable table, TableColumn column)
    {
        var format = TableNumbers.Infer(table)[column].Format;
        var dayFirst = new Lazy<bool>(() => IsDayFirst(table, column));
        var isNumeric = format.Unit is null && column.Texts.ToArray().All(text => format.TryRead(text, out _));
        // As numbers, 10.2022 comes before 9.2023, and 2023.10 is 2023.1.
        if (isNumeric && column.Texts.ToArray().All(text => MonthOfYear().IsMatch(text)))
            throw new TableException(
                $"{table.FilePath}: the times of column {NameList.Quote(column.Name)}, as {NameList.Quote(column.Texts[0])}, look like a "
                + "month and a year; write 2021-03.");
        var times = new double[column.Texts.Length];
        var rows = column.CountRows();
        for (var code = 0; code < times.Length; code++)
        {
            if (rows[code] == 0 || (isNumeric ? format.TryRead(column.Texts[code], out times[code])
                : TryReadDate(column.Texts[code], dayFirst, out times[code]))) continue;
            throw table.CellError(
                column.FirstRowWith(code), column.Name, $"{NameList.Quote(column.Texts[code])} is not a time like the others; {Advice}.");
        }

        return Array.ConvertAll(column.Codes, code => times[code]);
    }

    private static bool TryReadDate(string text, Lazy<bool> dayFirst, out double time)
    {
        time = 0;
        if (Period().Match(text) is { Success: true } period)
        {
            time = (Number(period, 1) * 100) + Number(period, 2);
            return true;
        }

        var iso = text;
        if (Numbers().Match(text) is { Success: true } date)
        {
            // 23-01-31 may be a day of 2023 or of 2031.
            if (date.Groups[3].Length == 2 && date.Value.Contains('-', StringComparison.Ordinal)) return false;
            var (day, month) = dayFirst.Value ? (Number(date, 1), Number(date, 2)) : (Number(date, 2), Number(date, 1));
            var year = Number(date, 3);
            iso = $"{(year < 100 ? year + (year < 70 ? 2000 : 1900) : year):0000}-{month:00}-{day:00}{text[date.Length..]}";
        }

        // Without a year of four digits, Jan-20 may be a day or a month of 2020, and 15 Oct any year's.
        if (!YearOfFourDigits().IsMatch(iso)) return false;
        const DateTimeStyles styles = DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal | DateTimeStyles.AllowWhiteSpaces
            | DateTimeStyles.NoCurrentDateDefault;

        // A time of day alone, which has no year, does not say what comes later.
        if (!DateTime.TryParse(iso, CultureInfo.InvariantCulture, styles, out var read) || read.Year == 1) return false;
        time = read.Ticks;
        return true;
    }

    // 31.12.2021 says it by itself, 01.02.2021 by its points; 01/02/2021 only beside others.
    private static bool IsDayFirst(CsvTable table, TableColumn column)
    {
        var (first, second, points) = (0, 0, true);
        foreach (var text in column.Texts)
        {
            if (Numbers().Match(text) is not { Success: true } date) continue;
            first = Math.Max(first, Number(date, 1));
            second = Math.Max(second, Number(date, 2));
            points &= text.Contains('.', StringComparison.Ordinal);
        }

        if (first > 12 != second > 12) return first > 12;
        if (first <= 12 && points) return true;
        throw new TableException(
            $"{table.FilePath}: the dates of column {NameList.Quote(column.Name)}, as {NameList.Quote(column.Texts[0])}, do not say which "
            + $"is the day and which the month; {Advice}.");
    }

    private static int Number(Match match, int group) => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^(\d{1,2})[./-](\d{1,2})[./-](\d{4}|\d{2})(?=$|[ T])", RegexOptions.CultureInvariant | RegexOptions.ECMAScript)]
    private static partial Regex Numbers();

    [GeneratedRegex(@"^(\d{1,2}[.,]\d{4}|\d{4}[.,]\d{1,2})$", RegexOptions.CultureInvariant | RegexOptions.ECMAScript)]
    private static partial Regex MonthOfYear();

    [GeneratedRegex(@"(?<!\d)\d{4}(?!\d)|^\d{8}(?!\d)", RegexOptions.CultureInvariant)]
    private static partial Regex YearOfFourDigits();

    [GeneratedRegex(@"^(\d{4})[- ]?[QqWw](\d{1,2})$", RegexOptions.CultureInvariant | RegexOptions.ECMAScript)]
    private static partial Regex Period();
}
