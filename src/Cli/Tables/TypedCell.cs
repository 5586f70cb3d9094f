using System.Globalization;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>A value with a type, as Parquet files and databases have them, as the text that a table has for it.</summary>
internal static class TypedCell
{
    /// <summary>The text; null = no value, which also NaN is.</summary>
    /// <param name="value">The value; null and <see cref="DBNull"/> are none.</param>
    /// <param name="place">Where it is, for a message.</param>
    /// <exception cref="TableException">It is nothing that a cell can hold.</exception>
    public static string? Text(object? value, Func<string> place) => value switch
    {
        null or DBNull or double.NaN or float.NaN => null,
        string text => text,
        bool truth => truth ? "true" : "false",

        // Numbers with all of their digits.
        float number => number.ToString("R", CultureInfo.InvariantCulture),
        double number => number.ToString("R", CultureInfo.InvariantCulture),
        DateOnly date => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        DateTime time => time.ToString("yyyy-MM-dd HH:mm:ss.FFFFFFF", CultureInfo.InvariantCulture),

        // By its own clock, as a text with an offset counts.
        DateTimeOffset time => time.DateTime.ToString("yyyy-MM-dd HH:mm:ss.FFFFFFF", CultureInfo.InvariantCulture),
        TimeOnly time => time.ToString("HH:mm:ss.FFFFFFF", CultureInfo.InvariantCulture),

        // A duration is a number of seconds.
        TimeSpan duration => duration.TotalSeconds.ToString("R", CultureInfo.InvariantCulture),
        Guid or char => value.ToString(),
        IFormattable other when IsNumber(value) => other.ToString(null, CultureInfo.InvariantCulture),
        _ => throw new TableException(
            $"{place()}: a value of type {value.GetType().Name} is no text, number, date or truth value; leave the column out, or convert "
            + "it where it comes from."),
    };

    private static bool IsNumber(object value) => value is sbyte or byte or short or ushort or int or uint or long or ulong or decimal
        or Int128 or UInt128 or Half or System.Numerics.BigInteger;
}
