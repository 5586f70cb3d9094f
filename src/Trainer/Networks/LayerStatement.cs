using System.Globalization;
using System.Text;

namespace MlNetBatchNorm.Trainer.Networks;

/// <summary>
/// One line of a network's text: a keyword, values in order, and options as <c>name=value</c>. A layer's form takes from it what it knows;
/// what is left over then is an error. A value that is missing or cannot be read is a <see cref="FormatException"/> without the line.
/// </summary>
internal sealed class LayerStatement
{
    private readonly Queue<string> _values = new();
    private readonly Dictionary<string, string> _options = new(StringComparer.OrdinalIgnoreCase);

    private LayerStatement(int line, string text, string keyword)
    {
        Line = line;
        Text = text;
        Keyword = keyword;
    }

    /// <summary>The line, from 1.</summary>
    public int Line { get; }

    /// <summary>The statement as it was written.</summary>
    public string Text { get; }

    /// <summary>The first word, in lower case.</summary>
    public string Keyword { get; }

    /// <summary>The statements of a text: one a line, or several with semicolons between them; <c>#</c> begins a comment.</summary>
    public static IEnumerable<LayerStatement> ReadAll(string text)
    {
        var number = 0;
        foreach (var line in text.ReplaceLineEndings("\n").Split('\n'))
        {
            number++;
            foreach (var statement in line.Split('#')[0].Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
                yield return Read(number, statement);
        }
    }

    /// <summary>The next value, a whole number from 1.</summary>
    public int Count(string name) => ToCount(name, Value(name));

    /// <summary>The next value, a number.</summary>
    public float Number(string name) => ToNumber(name, Value(name));

    /// <summary>The next value, a whole number from 1 for each axis: <c>3</c>, or <c>3x5</c> where they differ.</summary>
    public int[] Sizes(string name, int axes)
    {
        var parts = Value(name).Split('x');
        if (parts.Length == 1) parts = [.. Enumerable.Repeat(parts[0], axes)];
        return parts.Length == axes
            ? Array.ConvertAll(parts, part => ToCount(name, part))
            : throw new FormatException($"{name} has one size, or {axes} with an x between them");
    }

    /// <summary>An option, a whole number from 1.</summary>
    public int? CountOption(string name) => Option(name) is { } text ? ToCount(name, text) : null;

    /// <summary>An option, a whole number from 0.</summary>
    public int? WholeOption(string name) => Option(name) switch
    {
        null => null,
        "0" => 0,
        var text => ToCount(name, text),
    };

    /// <summary>An option, a number.</summary>
    public float? NumberOption(string name) => Option(name) is { } text ? ToNumber(name, text) : null;

    /// <summary>An option, yes or no.</summary>
    public bool? FlagOption(string name) => Option(name)?.ToLowerInvariant() switch
    {
        null => null,
        "yes" => true,
        "no" => false,
        var text => throw new FormatException($"{name} is yes or no, not '{text}'"),
    };

    /// <summary>An option, any text.</summary>
    public string? Option(string name) => _options.Remove(name, out var text) ? text : null;

    /// <summary>Whether nothing is left over; otherwise the first thing that is.</summary>
    public bool IsUsedUp(out string rest)
    {
        rest = _values.Count > 0 ? _values.Peek() : _options.Keys.FirstOrDefault() ?? string.Empty;
        return _values.Count == 0 && _options.Count == 0;
    }

    /// <summary>An error that names the line.</summary>
    public FormatException Error(string problem, Exception? cause = null) =>
        new($"Line {Line}, '{Text}': {problem.ReplaceLineEndings(" ")}", cause);

    private static LayerStatement Read(int line, string text)
    {
        var words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        var statement = new LayerStatement(line, text, words[0].ToLowerInvariant());
        foreach (var word in words.AsSpan(1))
        {
            var equals = word.IndexOf('=', StringComparison.Ordinal);
            if (equals < 0) statement._values.Enqueue(word);
            else if (!statement._options.TryAdd(word[..equals], word[(equals + 1)..]))
                throw statement.Error($"{word[..equals]} is given twice.");
        }

        return statement;
    }

    private string Value(string name) => _values.TryDequeue(out var value) ? value : throw new FormatException($"{name} is missing");

    private static int ToCount(string name, string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value > 0
            ? value
            : throw new FormatException($"{name} is a whole number above 0, not '{text}'");

    private static float ToNumber(string name, string text) =>
        float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw new FormatException($"{name} is a number, not '{text}'");
}

/// <summary>A line of a network's text while it is written: the counterpart of <see cref="LayerStatement"/>.</summary>
internal sealed class LayerLine(string keyword)
{
    private readonly StringBuilder _text = new(keyword);

    public LayerLine Value(int value) => Append(value.ToString(CultureInfo.InvariantCulture));

    public LayerLine Value(float value) => Append(value.ToString("R", CultureInfo.InvariantCulture));

    public LayerLine Sizes(IReadOnlyList<int> sizes) => sizes.All(size => size == sizes[0])
        ? Value(sizes[0])
        : Append(string.Join('x', sizes.Select(size => size.ToString(CultureInfo.InvariantCulture))));

    /// <summary>An option, unless it has the value that it has anyway.</summary>
    public LayerLine Whole(string name, int? value, int? otherwise) =>
        value == otherwise ? this : Append(string.Create(CultureInfo.InvariantCulture, $"{name}={value}"));

    public LayerLine Number(string name, float value, float otherwise) =>
        value.Equals(otherwise) ? this : Append(string.Create(CultureInfo.InvariantCulture, $"{name}={value:R}"));

    public LayerLine Flag(string name, bool? value, bool? otherwise) =>
        value == otherwise ? this : Append($"{name}={(value!.Value ? "yes" : "no")}");

    public LayerLine Option(string name, string? value) => value is null ? this : Append($"{name}={value}");

    public override string ToString() => _text.ToString();

    private LayerLine Append(string word)
    {
        _text.Append(' ').Append(word);
        return this;
    }
}
