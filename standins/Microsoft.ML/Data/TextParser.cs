namespace Microsoft.ML.Data;

/// <summary>How a field of text becomes a value. An empty field is always the default value, save for missing reals where asked for.</summary>
internal static class TextParser
{
    public static Func<ReadOnlyMemory<char>, T> For<T>(bool missingRealsAsNaNs = false) => (Func<ReadOnlyMemory<char>, T>)(Type.GetTypeCode(typeof(T)) switch
    {
        TypeCode.Single => (Func<ReadOnlyMemory<char>, float>)(text => (float)Real(text.Span, missingRealsAsNaNs)),
        TypeCode.Double => (Func<ReadOnlyMemory<char>, double>)(text => Real(text.Span, missingRealsAsNaNs)),
        TypeCode.Boolean => (Func<ReadOnlyMemory<char>, bool>)(text => Boolean(text.ToString().ToLowerInvariant())),
        TypeCode.Object => (Func<ReadOnlyMemory<char>, ReadOnlyMemory<char>>)(text => text),
        _ => (Delegate)(Func<ReadOnlyMemory<char>, T>)(text
            => (T)(text.IsEmpty ? default(T) : Convert.ChangeType(text.ToString(), typeof(T), CultureInfo.InvariantCulture))),
    });

    // Whatever is no number is missing: ML.NET says so in its log only.
    private static double Real(ReadOnlySpan<char> text, bool missingRealsAsNaNs) => text.Trim().IsEmpty && !missingRealsAsNaNs ? 0
        : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? value : double.NaN;
    private static bool Boolean(string text) => text is "t" or "y" or "1" or "+" or "+1" or "yes" or "true"
        || (text is "" or "f" or "n" or "0" or "-" or "no" or "-1" or "false" ? false : throw new FormatException($"'{text}' is neither true nor false."));
}
