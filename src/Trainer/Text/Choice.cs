using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace MlNetBatchNorm.Trainer.Text;

/// <summary>
/// A choice as people write it in options and in the text of a network: a name, and behind a colon the numbers that go with it
/// (<c>adam</c>, <c>huber:1.5</c>, <c>step:0.1,0.5,0.75</c>).
/// </summary>
internal readonly record struct Choice(string Text, string Name, double[] Numbers)
{
    /// <summary>Reads a choice; which names and how many numbers there are is for the caller to say (<see cref="Unknown"/>).</summary>
    /// <exception cref="FormatException">A number is not one.</exception>
    public static Choice Read(string? text)
    {
        text = text?.Trim() ?? string.Empty;
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon < 0) return new(text, text.ToLowerInvariant(), []);
        var numbers = Array.ConvertAll(text[(colon + 1)..].Split(','), part =>
            double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)
                ? number
                : throw new FormatException(
                    $"'{part}' in '{text}' is not a number; write numbers with a decimal point, and commas between them."));
        return new(text, text[..colon].TrimEnd().ToLowerInvariant(), numbers);
    }

    /// <summary>The text of a choice that <see cref="Read"/> reads.</summary>
    public static string Write(string name, params ReadOnlySpan<float> numbers)
    {
        var parts = new string[numbers.Length];
        for (var i = 0; i < parts.Length; i++) parts[i] = numbers[i].ToString("R", CultureInfo.InvariantCulture);
        return $"{name}:{string.Join(',', parts)}";
    }

    /// <summary>The same for numbers with more digits.</summary>
    public static string Write(string name, params ReadOnlySpan<double> numbers)
    {
        var parts = new string[numbers.Length];
        for (var i = 0; i < parts.Length; i++) parts[i] = numbers[i].ToString("R", CultureInfo.InvariantCulture);
        return $"{name}:{string.Join(',', parts)}";
    }

    /// <summary>What a text says, where it says anything.</summary>
    /// <param name="parse">Reads it, or throws.</param>
    /// <param name="text">The text; null says nothing.</param>
    /// <param name="result">What it says; null when it could not be read.</param>
    public static bool TryParse<T>(Func<string, T> parse, string? text, [NotNullWhen(true)] out T? result)
        where T : class
    {
        result = null;
        try
        {
            if (text is not null) result = parse(text);
        }
        catch (Exception exception) when (exception is FormatException or ArgumentException)
        {
            return false;
        }

        return result is not null;
    }

    /// <summary>The error for a choice that is not there.</summary>
    /// <param name="what">With an article: <c>an optimizer</c>.</param>
    /// <param name="forms">What can be written, numbers that may be left out in brackets.</param>
    public FormatException Unknown(string what, string forms) => new($"'{Text}' is not {what}; use {forms}.");

    public void Deconstruct(out string name, out double[] numbers) => (name, numbers) = (Name, Numbers);
}
