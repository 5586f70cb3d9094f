using System.CommandLine;
using System.CommandLine.Parsing;
using MlNetBatchNorm.Onnx.Execution;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary>Options that several commands have.</summary>
internal static class CommonOptions
{
    public static Option<Device> Device() => new("--device")
    {
        Description = "auto, cpu, cuda or cuda:N",
        HelpName = "DEVICE",
        DefaultValueFactory = _ => Onnx.Execution.Device.Auto,
        CustomParser = result => Parse(result, Onnx.Execution.Device.Parse, Onnx.Execution.Device.Auto),
    };

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

    /// <summary>
    /// The text that an option was given, or null. For validators of a whole command: they run before those of its options, and to ask for a
    /// value that cannot be read would end the tool there.
    /// </summary>
    public static string? Given(this CommandResult result, Option option) => result.GetResult(option)?.Tokens is [.., var token] ? token.Value : null;

    /// <summary>Rejects numbers out of a range.</summary>
    public static void RequireRange<T>(this Option<T> option, T least, T most)
        where T : struct, IComparable<T> =>
        option.Validators.Add(result => RequireRange(result, result.GetValueOrDefault<T>(), least, most));

    /// <summary>Rejects numbers out of a range; the option may be left out.</summary>
    public static void RequireRange<T>(this Option<T?> option, T least, T most)
        where T : struct, IComparable<T> =>
        option.Validators.Add(result => RequireRange(result, result.GetValueOrDefault<T?>(), least, most));

    private static void RequireRange<T>(OptionResult result, T? given, T least, T most)
        where T : struct, IComparable<T>
    {
        if (result.Tokens.Count > 0 && given is { } value && (value.CompareTo(least) < 0 || value.CompareTo(most) > 0))
            result.AddError(FormattableString.Invariant($"{result.Option.Name} is {value}, but must be from {least} to {most}."));
    }
}
