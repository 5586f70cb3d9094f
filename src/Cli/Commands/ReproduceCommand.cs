using System.CommandLine;
using MlNetBatchNorm.Cli.Reproduction;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary><c>mlnetbn reproduce</c>: known results on known data.</summary>
internal static class ReproduceCommand
{
    public static Command Create()
    {
        var command = new Command("reproduce", "See what papers tell about batch normalization: known results on known data.");
        foreach (var experiment in Experiment.All) command.Add(Create(experiment));
        return command;
    }

    private static Command Create(Experiment experiment)
    {
        var output = new Option<string>("--out") { Description = "the folder for the results", Required = true, HelpName = "DIR" };
        var seed = new Option<int>("--seed") { Description = "the seed of everything random", DefaultValueFactory = _ => 0 };
        var quick = new Option<bool>("--quick") { Description = "a form that is over in a minute, to see what there is to see" };
        var data = experiment.Data is not { } needed ? null : new Option<string>("--data")
        {
            Description = needed.Description,
            HelpName = needed.HelpName,
            DefaultValueFactory = _ => needed.Default,
        };
        var own = experiment.Options.ToDictionary(
            option => option, option => CommonOptions.Parsed(option.Name, option.HelpName, option.Description, option.Read));
        var command = new Command(experiment.Name, experiment.Description) { output, seed, quick };
        if (data is not null) command.Add(data);
        foreach (var option in own.Values) command.Add(option);
        command.SetAction(arguments => ExperimentRun.Execute(experiment, new ExperimentCall(
            string.Join(' ', arguments.Tokens.Select(token => Quoted(token.Value)).Prepend("mlnetbn")),
            arguments.GetRequiredValue(output),
            arguments.GetValue(seed),
            arguments.GetValue(quick),
            data is null ? string.Empty : arguments.GetRequiredValue(data),
            own.Select(option => (option.Key.Name, Value: arguments.GetValue(option.Value))).Where(option => option.Value is not null)
                .ToDictionary(option => option.Name, option => option.Value!, StringComparer.Ordinal))));
        return command;
    }

    // As a shell takes it.
    private static string Quoted(string argument) =>
        argument.Length > 0 && argument.All(letter => char.IsAsciiLetterOrDigit(letter) || "-_./,:=".Contains(letter))
            ? argument
            : $"'{argument.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
