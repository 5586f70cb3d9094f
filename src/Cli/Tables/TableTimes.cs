using System.Globalization;
using System.Text.RegularExpressions;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>A column of times as numbers that grow with time: numbers as they are, or dates.</summary>
internal static partial class TableTimes
{
    private const string Advice = "write numbers, or dates as 2021-03-31 or 2021-03-31 14:05";

    /// <summary>The time of each row.</summary>
    /// <param name="table">The table.</param>
    /// <param name="column">Its column of times.</param>
    /// <param name="order">Which number of a date is the day; null = what the column says.</param>
    /// <exception cref="TableException">A row has no time, or dates do not say which is the day and which the month.</exception>
    public static double[] Read(CsvTable table, TableColumn column, DateOrder? order = null)
    {
        var format = TableNumbers.Infer(table)[column].Format;
        var found = new Lazy<DateOrder>(() => order ?? WrittenDate.FindOrder(column.Texts.ToArray()) ?? throw Ambiguous(table, column));
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
                : TryReadTime(column.Texts[code], () => found.Value, out times[code]))) continue;
            throw table.CellError(
                column.FirstRowWith(code), column.Name, $"{NameList.Quote(column.Texts[code])} is not a time like the others; {Advice}.");
        }

        return Array.ConvertAll(column.Codes, code => times[code]);
    }

    private static bool TryReadTime(string text, Func<DateOrder> order, out double time)
    {
        time = 0;
        if (Period().Match(text) is { Success: true } period)
        {
            time = (Number(period, 1) * 100) + Number(period, 2);
            return true;
        }

        if (!WrittenDate.TryRead(text, order, out var read)) return false;
        time = read.UtcTicks;
        return true;
    }

    private static TableException Ambiguous(CsvTable table, TableColumn column)
    {
        var example = Array.Find(column.Texts.ToArray(), WrittenDate.NeedsOrder)!;
        return new($"{table.FilePath}: the dates of column {NameList.Quote(column.Name)}, as {NameList.Quote(example)}, do not say which "
            + $"is the day and which the month; say --date-order dmy or mdy, or {Advice}.");
    }

    private static int Number(Match match, int group) => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^(\d{1,2}[.,]\d{4}|\d{4}[.,]\d{1,2})$", RegexOptions.CultureInvariant | RegexOptions.ECMAScript)]
    private static partial Regex MonthOfYear();

    [GeneratedRegex(@"^(\d{4})[- ]?[QqWw](\d{1,2})$", RegexOptions.CultureInvariant | RegexOptions.ECMAScript)]
    private static partial Regex Period();
}
