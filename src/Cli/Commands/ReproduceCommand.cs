using System.CommandLine;
using MlNetBatchNorm.Cli.Reproduction;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary><c>mlnetbn reproduce</c>: known results on known data.</summary>
internal static class ReproduceCommand
{
    public static Command Create()
    {
        var command = new Command("reproduce", "See what papers tell about batch normalization: known results on known data.")
        {
            CreateMnist(),
        };
        foreach (var experiment in Experiment.All) command.Add(Create(experiment));
        return command;
    }

    private static Command Create(Experiment experiment)
    {
        var (output, seed, data) = (Output(), Seed(), experiment.Data is { } needed ? DataOf(needed) : null);
        var quick = new Option<bool>("--quick") { Description = "a form that is over in a minute, to see what there is to see" };
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

    private static Command CreateMnist()
    {
        var (output, seed, data) = (Output(), Seed(), DataOf(ExperimentData.Mnist));
        var epochs =
            new Option<int>("--epochs") { Description = "passes over the training images", DefaultValueFactory = _ => MnistRecipe.Epochs };
        epochs.RequireRange(1, 1000);
        var command = new Command(
            "mnist", "Train a residual network of 73,082 parameters on the MNIST digits, and test it on the 10,000 test images.")
        {
            data, output, epochs, seed,
        };
        command.SetAction(arguments =>
        {
            var folder = arguments.GetRequiredValue(data);
            ExperimentData.Mnist.Require(folder);
            MnistRun.Execute(folder, arguments.GetRequiredValue(output), arguments.GetValue(epochs), arguments.GetValue(seed));
        });
        return command;
    }

    private static Option<string> Output() =>
        new("--out") { Description = "the folder for the results", Required = true, HelpName = "DIR" };

    private static Option<int> Seed() => new("--seed") { Description = "the seed of everything random", DefaultValueFactory = _ => 0 };

    private static Option<string> DataOf(ExperimentData data) => new("--data")
    {
        Description = data.Description,
        HelpName = data.HelpName,
        DefaultValueFactory = _ => data.Default,
    };

    // As a shell takes it.
    private static string Quoted(string argument) =>
        argument.Length > 0 && argument.All(letter => char.IsAsciiLetterOrDigit(letter) || "-_./,:=".Contains(letter))
            ? argument
            : $"'{argument.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
