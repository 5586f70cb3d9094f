namespace MlNetBatchNorm.Cli;

/// <summary>
/// Lines for people to read. What is in them comes from models and tables of strangers, too: whatever would steer the terminal (control
/// characters, marks that turn the direction of text) becomes something visible, in this one place.
/// </summary>
internal static class Terminal
{
    /// <summary>Prints a line to stdout.</summary>
    public static void Print(string line) => Console.WriteLine(Clean(line));

    /// <summary>Prints a line to stderr.</summary>
    public static void Note(string line) => Console.Error.WriteLine(Clean(line));

    /// <summary>The text with control characters as their pictures (␛ for an escape); tabs and line feeds stay.</summary>
    public static string Clean(string text) => !text.Any(Steers)
        ? text
        : string.Create(text.Length, text, static (into, text) =>
        {
            for (var i = 0; i < into.Length; i++) into[i] = Steers(text[i]) ? Picture(text[i]) : text[i];
        });

    private static bool Steers(char character) => character is not ('\t' or '\n')
        && (char.IsControl(character)
            || character is (>= '\u202A' and <= '\u202E') or (>= '\u2066' and <= '\u2069') or '\u200E' or '\u200F');

    private static char Picture(char character) => character switch
    {
        < ' ' => (char)(0x2400 + character),
        '\x7F' => '\u2421',
        _ => '\uFFFD',
    };
}
