using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using MlNetBatchNorm.Cli.Reporting;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary>Options that several commands have.</summary>
internal static class CommonOptions
{
    private static readonly Option<bool> Quiet = new("--quiet")
    {
        Description = "say nothing on stderr but warnings and errors",
        Recursive = true,
    };

    private static readonly Option<bool> JsonLines = new("--json-lines")
    {
        Description = "say all of it on stderr as JSON for programs, an object a line",
        Recursive = true,
    };

    /// <summary>Adds what all commands have: how they speak while they work.</summary>
    public static void AddTo(RootCommand root)
    {
        JsonLines.Validators.Add(result =>
        {
            if (!result.Implicit && result.GetResult(Quiet) is { Implicit: false })
                result.AddError("--quiet and --json-lines exclude each other.");
        });
        root.Add(Quiet);
        root.Add(JsonLines);
    }

    /// <summary>How the called command is to speak, also where it cannot be called as it was.</summary>
    public static ProgressForm FormOf(ParseResult result) =>
        result.GetResult(JsonLines) is { Implicit: false } ? ProgressForm.Json
        : result.GetResult(Quiet) is { Implicit: false } ? ProgressForm.Quiet
        : ProgressForm.Text;

    /// <summary>The called command with those above it, as <c>reproduce mnist</c>; empty for the tool itself.</summary>
    public static string NameOf(ParseResult result)
    {
        var names = new Stack<string>();
        for (SymbolResult? at = result.CommandResult; at is CommandResult { Parent: not null } command; at = command.Parent)
            names.Push(command.Command.Name);
        return string.Join(' ', names);
    }

    /// <summary>Where models run.</summary>
    /// <param name="otherwise">The device where none is given; null = the best one available.</param>
    public static Option<Device> Device(Device? otherwise = null) => new("--device")
    {
        Description =
            "auto, cpu, cuda[:N], tensorrt[:N], directml[:N], coreml or openvino[:HARDWARE]; with ',cpu' behind it, or else the CPU",
        HelpName = "DEVICE",
        DefaultValueFactory = _ => otherwise ?? MlNetBatchNorm.Device.Auto,
        CustomParser = result => Parse(result, MlNetBatchNorm.Device.Parse, MlNetBatchNorm.Device.Auto),
    };

    public static Option<ModelPrecision> Precision() => new("--precision")
    {
        Description = "the precision of the model that is written: " + string.Join(", ", PrecisionNames.All),
        HelpName = "PRECISION",
        DefaultValueFactory = _ => ModelPrecision.Float32,
        CustomParser = result => Parse(result, PrecisionNames.Parse, ModelPrecision.Float32),
    };

    /// <summary>Where a model runs, for a command that otherwise runs none.</summary>
    public static Option<Device?> OptionalDevice(string description) =>
        Parsed("--device", "DEVICE", description, MlNetBatchNorm.Device.Parse);

    /// <summary>An option whose text the library reads; null = not given.</summary>
    /// <param name="name">The option.</param>
    /// <param name="helpName">What stands for its value in the help.</param>
    /// <param name="description">What it is.</param>
    /// <param name="parse">Reads the text; its <see cref="FormatException"/> or <see cref="ArgumentException"/> is a usage error.</param>
    public static Option<T?> Parsed<T>(string name, string helpName, string description, Func<string, T> parse)
        where T : class
    {
        return new Option<T?>(name)
        {
            Description = description,
            HelpName = helpName,
            CustomParser = result => Parse<T?>(result, parse, null),
        };
    }

    /// <summary>Runs a parser that throws <see cref="FormatException"/>, and turns that into a usage error.</summary>
    public static T Parse<T>(ArgumentResult result, Func<string, T> parse, T otherwise)
    {
        try
        {
            return parse(result.Tokens.Count == 0 ? string.Empty : result.Tokens[^1].Value);
        }
        catch (Exception exception) when (exception is FormatException or ArgumentException or OverflowException)
        {
            result.AddError(Failure.Text(exception));
            return otherwise;
        }
    }

    /// <summary>Reads positive numbers with commas between them.</summary>
    /// <exception cref="FormatException">The text is something else; the message says what was expected.</exception>
    public static IReadOnlyList<int> ParseSizes(string text, string what, string example) =>
        [.. text.Split(',', StringSplitOptions.TrimEntries).Select(part =>
            int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var units) && units > 0
                ? units
                : throw new FormatException($"'{text}' is not a list of {what}; write positive numbers with commas, as {example}."))];

    /// <summary>
    /// The text that an option was given, or null. For validators of a whole command: they run before those of its options, and to ask for
    /// a value that cannot be read would end the tool there.
    /// </summary>
    public static string? Given(this CommandResult result, Option option) =>
        result.GetResult(option)?.Tokens is [.., var token] ? token.Value : null;

    /// <summary>Rejects numbers out of a range.</summary>
    public static void RequireRange<T>(this Option<T> option, T least, T most)
        where T : struct, IComparable<T>, ISpanParsable<T> =>
        option.Validators.Add(result => RequireRange(result, least, most));

    /// <summary>Rejects numbers out of a range; the option may be left out.</summary>
    public static void RequireRange<T>(this Option<T?> option, T least, T most)
        where T : struct, IComparable<T>, ISpanParsable<T> =>
        option.Validators.Add(result => RequireRange(result, least, most));

    // Reads the text itself: to ask for a value that is none would end the tool here, and its parser says that.
    private static void RequireRange<T>(OptionResult result, T least, T most)
        where T : struct, IComparable<T>, ISpanParsable<T>
    {
        if (result.Tokens is not [.., var token] || !T.TryParse(token.Value, CultureInfo.InvariantCulture, out var value)) return;
        // Not a number is in no range.
        if (!(value.CompareTo(least) >= 0 && value.CompareTo(most) <= 0))
            result.AddError(FormattableString.Invariant($"{result.Option.Name} is {value}, but must be from {least} to {most}."));
    }
}
