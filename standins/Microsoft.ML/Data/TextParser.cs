using System.Globalization;

namespace Microsoft.ML.Data;

/// <summary>How a field of text becomes a value. An empty field is always the default value, save for missing reals where asked for.</summary>
internal static class TextParser
{
    public delegate bool TryParse<T>(ReadOnlyMemory<char> text, out T value);

    public static TryParse<T> For<T>(PrimitiveDataViewType type, TextLoader.Options options = null)
    {
        Delegate parser = type switch
        {
            KeyDataViewType key => Key<T>(key.Count),
            _ when typeof(T) == typeof(float) => (TryParse<float>)((ReadOnlyMemory<char> text, out float value) =>
            {
                var parsed = Real(text.Span, options, out var number);
                value = (float)number;
                return parsed;
            }),
            _ when typeof(T) == typeof(double) => (TryParse<double>)((ReadOnlyMemory<char> text, out double value) => Real(text.Span, options, out value)),
            _ when typeof(T) == typeof(bool) => (TryParse<bool>)Boolean,
            _ when typeof(T) == typeof(ReadOnlyMemory<char>) => (TryParse<ReadOnlyMemory<char>>)Text,
            _ when typeof(T) == typeof(DateTime) => (TryParse<DateTime>)Date,
            _ => (TryParse<T>)Other,
        };
        return (TryParse<T>)parser;
    }

    private static bool Real(ReadOnlySpan<char> text, TextLoader.Options options, out double value)
    {
        text = text.Trim();
        value = text.IsEmpty && options is not { MissingRealsAsNaNs: true } ? 0 : double.NaN;
        if (text.IsEmpty || text is "?" || text.Equals("NA", StringComparison.OrdinalIgnoreCase) || text.Equals("N/A", StringComparison.OrdinalIgnoreCase))
            return true;
        const NumberStyles Style = NumberStyles.Float & ~NumberStyles.AllowTrailingWhite;
        if (double.TryParse(options is { DecimalMarker: ',' } ? text.ToString().Replace(',', '.') : text, Style, CultureInfo.InvariantCulture, out value))
            return true;
        value = double.NaN;
        return false;
    }

    private static bool Boolean(ReadOnlyMemory<char> text, out bool value)
    {
        var lower = text.ToString().ToLowerInvariant();
        value = lower is "t" or "y" or "1" or "+" or "+1" or "yes" or "true";
        return value || lower is "" or "f" or "n" or "0" or "-" or "no" or "-1" or "false";
    }

    private static bool Text(ReadOnlyMemory<char> text, out ReadOnlyMemory<char> value)
    {
        value = text;
        return true;
    }

    private static bool Date(ReadOnlyMemory<char> text, out DateTime value)
    {
        value = default;
        const DateTimeStyles Styles = DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal;
        return text.IsEmpty || DateTime.TryParse(text.Span, CultureInfo.InvariantCulture, Styles, out value);
    }

    private static bool Other<T>(ReadOnlyMemory<char> text, out T value)
    {
        value = default;
        if (text.IsEmpty)
            return true;
        try
        {
            value = (T)(typeof(T) == typeof(TimeSpan) ? TimeSpan.Parse(text.Span, CultureInfo.InvariantCulture)
                : typeof(T) == typeof(DateTimeOffset) ? DateTimeOffset.Parse(text.Span, CultureInfo.InvariantCulture)
                : Convert.ChangeType(text.ToString(), typeof(T), CultureInfo.InvariantCulture));
            return true;
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            return false;
        }
    }

    // The text holds the key's index from 0 on.
    private static TryParse<T> Key<T>(ulong count) => (ReadOnlyMemory<char> text, out T value) =>
    {
        var known = ulong.TryParse(text.Span, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index < count;
        value = (T)Convert.ChangeType(known ? index + 1 : 0, typeof(T), CultureInfo.InvariantCulture);
        return known || text.IsEmpty || text.Span is "?";
    };
}
