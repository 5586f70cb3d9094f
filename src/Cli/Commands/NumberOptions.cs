using System.CommandLine;
using System.CommandLine.Parsing;
using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary>The options that say how the numbers and dates of a table are written, where it leaves that open.</summary>
internal sealed class NumberOptions
{
    private readonly Option<Dictionary<string, char>> _decimalMark = Create<char>(
        "--decimal-mark",
        "[COLUMN=]MARK",
        "the decimal mark, '.' or ',', of all columns or of one [default: found for each column from all of its values]",
        text => text is "." or ","
            ? text[0]
            : throw new FormatException($"'{text}' is no decimal mark; write --decimal-mark , or --decimal-mark COLUMN=, (or a point)."));

    private readonly Option<Dictionary<string, char?>> _thousands = Create<char?>(
        "--thousands",
        "[COLUMN=]MARK",
        "what stands between thousands, of all columns or of one: '.', ',', \"'\", space or none [default: found likewise]",
        text => text switch
        {
            "." or "," or "'" => text[0],
            "space" or " " => ' ',
            "none" or "" => null,
            _ => throw new FormatException(
                $"'{text}' does not stand between thousands; use . , ' space or none, or COLUMN= and one of them."),
        });

    private readonly Option<string?> _dateOrder = new("--date-order")
    {
        Description = "which number of 01/02/2021 is the day, where a column of dates leaves it open [default: found for each column]",
        HelpName = "dmy|mdy",
    };

    public NumberOptions() => _dateOrder.AcceptOnlyFromAmong("dmy", "mdy");

    public IReadOnlyList<Option> All => [_decimalMark, _thousands, _dateOrder];

    /// <summary>What was given.</summary>
    public NumberMarks Read(ParseResult arguments) => new(arguments.GetValue(_decimalMark) ?? [], arguments.GetValue(_thousands) ?? []);

    /// <summary>The order of dates that was given, or null.</summary>
    public DateOrder? ReadDateOrder(ParseResult arguments) => arguments.GetValue(_dateOrder) switch
    {
        "dmy" => DateOrder.DayFirst,
        "mdy" => DateOrder.MonthFirst,
        _ => null,
    };

    private static Option<Dictionary<string, T>> Create<T>(string name, string helpName, string description, Func<string, T> parse) =>
        new(name)
        {
            Description = description,
            HelpName = helpName,
            CustomParser = result => CommonOptions.Parse(result, _ => ReadAll(result, parse), []),
        };

    private static Dictionary<string, T> ReadAll<T>(ArgumentResult result, Func<string, T> parse)
    {
        var marks = new Dictionary<string, T>();
        foreach (var token in result.Tokens)
        {
            var equals = token.Value.LastIndexOf('=');
            var column = token.Value[..Math.Max(equals, 0)];
            if (!marks.TryAdd(column, parse(token.Value[(equals + 1)..])))
                throw new FormatException($"{(column.Length == 0 ? "All columns have" : $"Column '{column}' has")} two marks; give one.");
        }

        return marks;
    }
}
