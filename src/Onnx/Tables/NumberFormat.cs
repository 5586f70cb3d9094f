using System.Globalization;
using System.Text.Json.Serialization;

namespace MlNetBatchNorm.Onnx.Tables;

/// <summary>
/// How the numbers of a column are written: their decimal mark, what stands between thousands, and their unit. A sign may be a hyphen or a
/// real minus (U+2212), in front or behind; numbers in parentheses are negative; digits of other scripts count as digits.
/// </summary>
/// <remarks>
/// What is read is only what the format says: to a column with a decimal point <c>1,5</c> is no number, and neither is <c>1,533</c>, unless
/// its thousands have commas.
/// </remarks>
internal sealed record NumberFormat
{
    /// <summary>How programs write numbers: a decimal point and nothing else.</summary>
    public static NumberFormat Plain { get; } = new('.');

    /// <summary>Describes a format.</summary>
    /// <param name="decimalMark">A point or a comma; null where no number had one, so that it is not known.</param>
    /// <param name="groupMark">
    /// What stands between thousands: a point, a comma, an apostrophe (any kind of them) or a space (any kind); null = nothing.
    /// </param>
    /// <param name="unit">What stands in front of the numbers or behind them; null = nothing.</param>
    [JsonConstructor]
    public NumberFormat(char? decimalMark = null, char? groupMark = null, string? unit = null)
    {
        if (decimalMark is not (null or '.' or ',') || groupMark is not (null or '.' or ',' or '\'' or ' ')
            || (decimalMark is not null && decimalMark == groupMark))
            throw new ArgumentException($"'{decimalMark}' as the decimal mark and '{groupMark}' between thousands make no numbers.");
        (DecimalMark, GroupMark, Unit) = (decimalMark, groupMark, unit);
    }

    /// <summary>A point or a comma; null where no number had one: then those are read that can only mean one number.</summary>
    public char? DecimalMark { get; }

    /// <summary>What stands between thousands: a point, a comma, an apostrophe or a space; null = nothing.</summary>
    public char? GroupMark { get; }

    /// <summary>
    /// What stands in front of the numbers or behind them; null = nothing. The number is in this unit: <c>27%</c> is 27.
    /// </summary>
    public string? Unit { get; }

    /// <summary>
    /// Whether the unit has to be there, as all but currencies have: 0.27 may be what elsewhere is 27%, and 300 what elsewhere is 0.3k.
    /// </summary>
    [JsonIgnore]
    public bool RequiresUnit => Unit is not null && !WrittenNumber.IsCurrency(Unit);

    /// <summary>Reads a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="number">The number; infinite where it is too large.</param>
    public bool TryRead(string text, out double number)
    {
        number = double.NaN;
        if (!WrittenNumber.TryTakeApart(text, out var written)) return false;
        if (written.Unit is null ? RequiresUnit : !written.HasUnit(Unit)) return false;
        return DecimalMark is { } mark ? written.TryRead(mark, GroupMark, out number) : TryReadUnambiguous(written, out number);
    }

    /// <summary>Reads a text to all its digits, as far as a decimal has room for them.</summary>
    public bool TryReadExact(string text, out decimal number)
    {
        number = 0;
        if (!WrittenNumber.TryTakeApart(text, out var written)) return false;
        Span<char> plain = new char[written.Core.Length];
        if (!written.TryNormalize(DecimalMark ?? '.', GroupMark, plain, out var length)
            && (DecimalMark is not null || !written.TryNormalize(',', GroupMark, plain, out length))) return false;
        if (!decimal.TryParse(plain[..length], NumberStyles.Float, CultureInfo.InvariantCulture, out number)) return false;
        number = written.IsNegative ? -number : number;
        return true;
    }

    /// <summary>A number in this format, to all its digits.</summary>
    public string Write(double number)
    {
        // With an exponent no mark can be one between thousands.
        var text = number.ToString("E16", CultureInfo.InvariantCulture);
        return (DecimalMark == ',' ? text.Replace('.', ',') : text) + (RequiresUnit ? $" {Unit}" : string.Empty);
    }

    /// <summary>The format for people: "with a decimal comma, '.' between thousands, in kg".</summary>
    public override string ToString()
    {
        var parts = new List<string>();
        if (DecimalMark == ',') parts.Add("a decimal comma");
        else if (DecimalMark == '.' && GroupMark is not null) parts.Add("a decimal point");
        if (GroupMark is { } group)
            parts.Add((group switch { ' ' => "spaces", '\'' => "apostrophes", _ => $"'{group}'" }) + " between thousands");
        var marks = parts.Count > 0 ? $"with {string.Join(" and ", parts)}" : null;
        return string.Join(", ", new[] { marks, Unit is null ? null : $"in {Unit}" }.Where(part => part is not null))
            is { Length: > 0 } text ? text : "as plain numbers";
    }

    private bool TryReadUnambiguous(in WrittenNumber written, out double number)
    {
        number = double.NaN;
        var found = false;
        foreach (var (mark, group) in new (char, char?)[] { ('.', GroupMark), ('.', ','), (',', GroupMark), (',', '.') })
        {
            if (mark == group || !written.TryRead(mark, group, out var read)) continue;
            if (found && read != number) return false;
            (found, number) = (true, read);
        }

        return found;
    }
}

/// <summary>A text taken apart into a sign, a unit, and digits with marks between them, whatever these marks mean.</summary>
internal readonly ref struct WrittenNumber
{
    private const int LongestUnit = 12;

    // Codes and signs of currencies, as they stand in front of amounts, beside the symbols that Unicode calls so.
    private static readonly HashSet<string> Currencies = new(StringComparer.Ordinal)
    {
        "USD", "EUR", "GBP", "JPY", "CNY", "RMB", "CHF", "INR", "AUD", "NZD", "CAD", "SGD", "HKD", "TWD", "KRW", "BRL", "MXN", "ARS", "CLP",
        "COP", "PEN", "ZAR", "NGN", "KES", "EGP", "MAD", "TRY", "ILS", "AED", "SAR", "QAR", "RUB", "UAH", "PLN", "CZK", "HUF", "RON", "BGN",
        "SEK", "NOK", "DKK", "ISK", "THB", "VND", "IDR", "MYR", "PHP", "PKR", "BDT", "LKR", "Rs", "Rs.", "Fr.", "SFr.", "Kr", "kr", "kr.",
        "R", "RM", "zł", "Kč", "Ft",
    };

    private WrittenNumber(bool isNegative, string? unit, ReadOnlySpan<char> core)
    {
        IsNegative = isNegative;
        Unit = unit;
        Core = core;
    }

    /// <summary>Whether there is a minus, or parentheses around all of it.</summary>
    public bool IsNegative { get; }

    /// <summary>What stands in front of the digits and behind them; null = nothing.</summary>
    public string? Unit { get; }

    /// <summary>The digits with the marks between them, and the exponent.</summary>
    public ReadOnlySpan<char> Core { get; }

    /// <summary>Takes a text apart; false where it is something else than a number.</summary>
    public static bool TryTakeApart(ReadOnlySpan<char> text, out WrittenNumber number)
    {
        number = default;
        var rest = text.Trim();
        var (isSigned, isNegative) = (false, false);
        if (rest is ['(', .. var inner, ')'])
        {
            (isSigned, isNegative) = (true, true);
            rest = inner.Trim();
        }

        if (!TakeSign(ref rest, atEnd: false, ref isSigned, ref isNegative)) return false;
        var start = StartOf(rest);
        if (start < 0) return false;
        var front = rest[..start].Trim();
        if (!TakeSign(ref front, atEnd: true, ref isSigned, ref isNegative) || (front.Length > 0 && !IsCurrency(front))) return false;
        var end = EndOf(rest, start);
        var back = rest[end..].Trim();
        // "503,-" and "503.–": no cents.
        if (end > start + 1 && MarkOf(rest[end - 1]) is '.' or ',' && back is ['-' or '\u2013' or '\u2014', ..])
            back = back.TrimStart("-\u2013\u2014").TrimStart();
        if (back.Length == 1 && !TakeSign(ref back, atEnd: true, ref isSigned, ref isNegative)) return false;
        if (back.Length > 0 && !IsUnit(back)) return false;
        var unit = front.Length == 0 && back.Length == 0 ? null
            : front.Length == 0 ? back.ToString()
            : back.Length == 0 ? front.ToString()
            : $"{front} {back}";
        number = new WrittenNumber(isNegative, unit, rest[start..end]);
        return true;
    }

    /// <summary>What a character between digits is: a point, a comma, an apostrophe or a space; 0 = none of them.</summary>
    public static char MarkOf(char character) => character switch
    {
        '.' or '．' => '.',
        ',' or '，' or '\u066B' => ',',
        '\'' or '’' or '‘' or 'ʼ' or '`' or '´' or '\u066C' => '\'',
        _ => char.IsWhiteSpace(character) ? ' ' : '\0',
    };

    /// <summary>Whether this is the unit, in any spelling (<see cref="KeyOf"/>).</summary>
    public bool HasUnit(string? unit) => Unit is null || unit is null ? Unit is null && unit is null : KeyOf(Unit) == KeyOf(unit);

    /// <summary>
    /// What spellings of a unit have in common. The case of letters counts where it means something: alone (m, M), in front (mW, MW), and
    /// for bits and bytes (Mb, MB).
    /// </summary>
    public static string KeyOf(string unit)
    {
        if (unit.Length < 2) return unit;
        var upper = unit.ToUpperInvariant();
        if (unit[0] == 'm') upper = 'm' + upper[1..];
        return unit[^1] == 'b' ? upper[..^1] + 'b' : upper;
    }

    /// <summary>Reads the number, if it can be written with these marks.</summary>
    /// <param name="decimalMark">A point or a comma.</param>
    /// <param name="groupMark">What stands between thousands, everywhere or nowhere in the number; null = nothing.</param>
    /// <param name="value">The number; infinite where it is too large.</param>
    public bool TryRead(char decimalMark, char? groupMark, out double value)
    {
        value = double.NaN;
        Span<char> plain = Core.Length < 100 ? stackalloc char[Core.Length] : new char[Core.Length];
        if (!TryNormalize(decimalMark, groupMark, plain, out var length)) return false;
        value = double.Parse(plain[..length], NumberStyles.Float, CultureInfo.InvariantCulture) * (IsNegative ? -1 : 1);
        return true;
    }

    /// <summary>Writes the number without its sign as programs write it, if it can be written with these marks.</summary>
    /// <param name="decimalMark">A point or a comma.</param>
    /// <param name="groupMark">What stands between thousands, everywhere or nowhere in the number; null = nothing.</param>
    /// <param name="plain">Where to; as long as <see cref="Core"/>.</param>
    /// <param name="length">How much of it was written.</param>
    public bool TryNormalize(char decimalMark, char? groupMark, Span<char> plain, out int length)
    {
        length = 0;
        var (group, groups, hasDecimals, isIndian, first) = (0, 0, false, false, '\0');
        foreach (var character in Core)
        {
            if (char.IsDigit(character))
            {
                plain[length++] = (char)('0' + CharUnicodeInfo.GetDecimalDigitValue(character));
                first = plain[0];
                group++;
                continue;
            }

            if (character is 'e' or 'E' or '+' or '-' or '\u2212')
            {
                if (groups > 0) return false;
                hasDecimals = true;
                plain[length++] = character == '\u2212' ? '-' : character;
                continue;
            }

            var mark = MarkOf(character);
            if (mark == decimalMark && !hasDecimals)
            {
                if (groups > 0 && group != 3) return false;
                hasDecimals = true;
                plain[length++] = '.';
            }
            else if (mark != groupMark || hasDecimals || !StartsGroup())
            {
                return false;
            }
            else
            {
                groups++;
                group = 0;
            }
        }

        return groups == 0 || hasDecimals || group == 3;

        // The first group has one to three digits and no zero in front, the others three; in India the middle ones two.
        bool StartsGroup()
        {
            if (groups == 0) return group is > 0 and <= 3 && first != '0';
            isIndian |= group == 2 && groupMark == ',' && groups == 1;
            return group == (isIndian ? 2 : 3);
        }
    }

    private static bool TakeSign(ref ReadOnlySpan<char> rest, bool atEnd, ref bool isSigned, ref bool isNegative)
    {
        if (rest.Length == 0) return true;
        var sign = atEnd ? rest[^1] : rest[0];
        if (sign is not ('+' or '-' or '\u2212' or '\u2013' or '\uFE63' or '\uFF0D')) return true;
        if (isSigned) return false;
        (isSigned, isNegative) = (true, sign != '+');
        rest = atEnd ? rest[..^1].TrimEnd() : rest[1..].TrimStart();
        return true;
    }

    private static int StartOf(ReadOnlySpan<char> text)
    {
        for (var i = 0; i < text.Length; i++)
            if (char.IsDigit(text[i]) || (MarkOf(text[i]) is '.' or ',' && IsDigitAt(text, i + 1))) return i;
        return -1;
    }

    private static int EndOf(ReadOnlySpan<char> text, int start)
    {
        for (var i = start; i < text.Length; i++)
        {
            if (char.IsDigit(text[i])) continue;
            if (text[i] is 'e' or 'E' && ExponentEnd(text, i + 1) is > 0 and var end) return end;
            var mark = MarkOf(text[i]);
            if (mark == '\0' || (!IsDigitAt(text, i + 1) && (mark is not ('.' or ',') || i == start))) return i;
        }

        return text.Length;
    }

    private static int ExponentEnd(ReadOnlySpan<char> text, int i)
    {
        if (i < text.Length && text[i] is '+' or '-' or '\u2212') i++;
        if (!IsDigitAt(text, i)) return -1;
        while (IsDigitAt(text, i)) i++;
        return i;
    }

    private static bool IsDigitAt(ReadOnlySpan<char> text, int i) => i < text.Length && char.IsDigit(text[i]);

    /// <summary>Whether a unit is a currency, and nothing else beside it.</summary>
    public static bool IsCurrency(ReadOnlySpan<char> text)
    {
        if (text.Length > 4 || text.ContainsAny('/', ' ')) return false;
        foreach (var character in text)
            if (char.GetUnicodeCategory(character) == UnicodeCategory.CurrencySymbol) return true;
        return Currencies.Contains(text.ToString());
    }

    // Letters and signs; a digit only as in m2 and cm3.
    private static bool IsUnit(ReadOnlySpan<char> text)
    {
        if (text.Length > LongestUnit || text[0] is '/' or '-' or '.') return false;
        for (var i = 0; i < text.Length; i++)
        {
            var character = text[i];
            var isPower = character is '2' or '3' && i == text.Length - 1 && i > 0 && text[i - 1] == 'm';
            if (!isPower && !char.IsLetter(character) && !"%‰°²³/·.*'\"′″ ".Contains(character, StringComparison.Ordinal)
                && char.GetUnicodeCategory(character) != UnicodeCategory.CurrencySymbol) return false;
        }

        return true;
    }
}
