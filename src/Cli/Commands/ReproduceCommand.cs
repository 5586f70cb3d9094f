using System.CommandLine;
using MlNetBatchNorm.Cli.Reproduction;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary><c>mlnetbn reproduce</c>: known results on known data.</summary>
internal static class ReproduceCommand
{
    // Where scripts/mnist.sh puts them.
    private const string DefaultFolder = "data/mnist";

    public static Command Create() =>
        new("reproduce", "Train on a well-known data set, to be compared with what others report.") { CreateMnist(), CreateDepth() };

    private static Command CreateMnist()
    {
        var data = new Option<string>("--data")
        {
            Description = "the folder with the four MNIST files, plain or with .gz; scripts/mnist.sh fetches them",
            HelpName = "DIR",
            DefaultValueFactory = _ => DefaultFolder,
        };
        var output = new Option<string>("--out") { Description = "the folder for the results", Required = true, HelpName = "DIR" };
        var epochs =
            new Option<int>("--epochs") { Description = "passes over the training images", DefaultValueFactory = _ => MnistRecipe.Epochs };
        epochs.RequireRange(1, 1000);
        var seed = new Option<int>("--seed") { Description = "the seed of everything random", DefaultValueFactory = _ => 0 };
        var command = new Command(
            "mnist", "Train a residual network of 73,082 parameters on the MNIST digits, and test it on the 10,000 test images.")
        {
            data, output, epochs, seed,
        };
        command.SetAction(arguments =>
        {
            var folder = arguments.GetRequiredValue(data);
            if (!Directory.Exists(folder))
                throw new DirectoryNotFoundException(
                    $"There is no folder '{folder}' with the MNIST digits: run scripts/mnist.sh, which fetches them to {DefaultFolder}, "
                    + "or give --data.");
            MnistRun.Execute(
                folder, arguments.GetRequiredValue(output), arguments.GetValue(epochs), arguments.GetValue(seed));
        });
        return command;
    }

    private static Command CreateDepth()
    {
        var data = new Option<string>("--data")
        {
            Description = "the table of letters, which comes with the repository",
            HelpName = "FILE",
            DefaultValueFactory = _ => "sample-data/letters.csv",
        };
        var output = new Option<string>("--out") { Description = "the folder for the results", Required = true, HelpName = "DIR" };
        var depths = CommonOptions.Parsed<IReadOnlyList<int>>(
            "--depths",
            "LAYERS",
            $"hidden layers of the networks, as 5,10 [default: {string.Join(',', DepthRecipe.Depths)}]",
            text => CommonOptions.ParseSizes(text, "numbers of layers", "5,10"));
        var epochs =
            new Option<int>("--epochs") { Description = "passes over the training rows", DefaultValueFactory = _ => DepthRecipe.Epochs };
        epochs.RequireRange(1, 1000);
        var seed = new Option<int>("--seed") { Description = "the seed of everything random", DefaultValueFactory = _ => 0 };
        var command = new Command(
            "depth",
            "Train networks of growing depth on a table of letters, with batch normalization and without, at a low and a high rate.")
        {
            data, output, depths, epochs, seed,
        };
        command.SetAction(arguments =>
        {
            DepthRun.Execute(
                arguments.GetRequiredValue(data),
                arguments.GetRequiredValue(output),
                arguments.GetValue(depths) ?? DepthRecipe.Depths,
                arguments.GetValue(epochs),
                arguments.GetValue(seed));
        });
        return command;
    }
}
