using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary>Help for a command with many options: under headings, in the order in which one needs them.</summary>
internal sealed class GroupedHelp : SynchronousCommandLineAction
{
    private const int Column = 34;
    private const int WidestLine = 140;

    private readonly Command _command;
    private readonly IReadOnlyList<(string Heading, IReadOnlyList<Option> Options)> _groups;

    private GroupedHelp(Command command, IReadOnlyList<(string Heading, IReadOnlyList<Option> Options)> groups)
    {
        _command = command;
        _groups = groups;
    }

    /// <summary>Adds the options of all groups to a command, and help that shows them by group.</summary>
    public static void AddTo(Command command, params (string Heading, IReadOnlyList<Option> Options)[] groups)
    {
        foreach (var option in groups.SelectMany(group => group.Options)) command.Options.Add(option);
        command.Options.Add(new HelpOption { Action = new GroupedHelp(command, groups) });
    }

    /// <summary>Asking for help is never wrong usage.</summary>
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        var output = parseResult.InvocationConfiguration.Output;
        var width = Console.IsOutputRedirected ? WidestLine : Math.Clamp(Console.WindowWidth, Column + 30, WidestLine);
        output.WriteLine(_command.Description);
        output.WriteLine();
        output.WriteLine(
            $"Usage: mlnetbn {_command.Name} {string.Join(' ', _command.Arguments.Select(argument => $"<{argument.Name}>"))} [options]");
        output.WriteLine();
        foreach (var argument in _command.Arguments) Row($"  <{argument.Name}>", argument.Description ?? string.Empty);
        var everywhere = _command.Parents.OfType<Command>().SelectMany(above => above.Options)
            .Where(option => option is { Recursive: true } and not HelpOption).ToList();
        foreach (var (heading, options) in _groups.Append(("While it works", everywhere)))
        {
            output.WriteLine();
            output.WriteLine($"{heading}:");
            foreach (var option in options)
                Row($"  {option.Name}{(option.HelpName is { } name ? $" <{name}>" : string.Empty)}", Describe(option));
        }

        return ExitCode.Done;

        void Row(string left, string text)
        {
            var line = left.Length < Column ? left.PadRight(Column) : left + "\n" + new string(' ', Column);
            var room = width - Column;
            foreach (var word in text.Split(' '))
            {
                if (word.Length > room)
                {
                    output.WriteLine(line.TrimEnd());
                    (line, room) = (new string(' ', Column), width - Column);
                }

                line += word + " ";
                room -= word.Length + 1;
            }

            output.WriteLine(line.TrimEnd());
        }
    }

    private static string Describe(Option option)
    {
        var text = TaskDefaults.Fill(option, option.Description ?? string.Empty);
        if (option.Required) return $"{text} (required)";
        return option.HasDefaultValue && option.GetDefaultValue() is { } value and not false && !text.Contains(
            "[default", StringComparison.Ordinal)
            ? FormattableString.Invariant(
                $"{text} [default: {(value is ModelPrecision precision ? PrecisionNames.NameOf(precision) : value)}]")
            : text;
    }
}
