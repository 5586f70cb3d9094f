using System.Globalization;
using System.Text;

namespace MlNetBatchNorm.Onnx.Tables;

/// <summary>The text of one cell, read as a number where it is one.</summary>
/// <param name="Kind">What the text can be read as.</param>
/// <param name="Number">The number; NaN where there is none.</param>
internal readonly record struct CellValue(CellKind Kind, double Number)
{
    // What spreadsheets, R, pandas and SQL write for "no value". "None" and "-" are left out: tables use both as categories.
    private static readonly HashSet<string> MissingMarkers = new(StringComparer.OrdinalIgnoreCase)
    {
        "", "?", "NA", "N/A", "#N/A", "NaN", "null",
    };

    private static readonly HashSet<string> Infinities = new(StringComparer.OrdinalIgnoreCase)
    {
        "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity", "∞", "+∞", "-∞",
    };

    /// <summary>Whether a trimmed text, as UTF-8, stands for "no value".</summary>
    public static bool IsMissing(ReadOnlySpan<byte> text) => text.Length switch
    {
        0 => true,
        1 => text[0] == '?',
        2 => Ascii.EqualsIgnoreCase(text, "NA"u8),
        3 => Ascii.EqualsIgnoreCase(text, "N/A"u8) || Ascii.EqualsIgnoreCase(text, "NaN"u8),
        4 => Ascii.EqualsIgnoreCase(text, "#N/A"u8) || Ascii.EqualsIgnoreCase(text, "null"u8),
        _ => false,
    };

    /// <summary>Reads a trimmed text.</summary>
    public static CellValue Read(string text)
    {
        if (MissingMarkers.Contains(text))
            return new(CellKind.Missing, double.NaN);
        if (Infinities.Contains(text))
            return new(CellKind.Infinite, double.NaN);
        if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
            return new(CellKind.Text, double.NaN);
        if (double.IsNaN(number))
            return new(CellKind.Missing, double.NaN);
        return double.IsInfinity(number) ? new(CellKind.Infinite, double.NaN) : new(CellKind.Number, number);
    }

    /// <summary>Reads a trimmed text of a column whose numbers are written in a format.</summary>
    public static CellValue Read(string text, NumberFormat format) => Read(text).ReadAgain(text, format);

    /// <summary>What a text is that has been read as programs write numbers, if numbers are written in a format.</summary>
    public CellValue ReadAgain(string text, NumberFormat format)
    {
        if (Kind != CellKind.Text && (Kind != CellKind.Number || format.Equals(NumberFormat.Plain))) return this;
        if (!format.TryRead(text, out var number))
            return new(CellKind.Text, double.NaN);
        return double.IsInfinity(number) ? new(CellKind.Infinite, double.NaN) : new(CellKind.Number, number);
    }
}

/// <summary>What the text of one cell can be read as.</summary>
internal enum CellKind
{
    /// <summary>No value.</summary>
    Missing,

    /// <summary>A finite number.</summary>
    Number,

    /// <summary>Infinity, or a number too large for float64.</summary>
    Infinite,

    /// <summary>Anything else.</summary>
    Text,
}
