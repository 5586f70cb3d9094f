using System.CommandLine;
using System.Globalization;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Trainer;
using MlNetBatchNorm.Transforms;
using MlNetBatchNorm.Transforms.Tables;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary><c>mlnetbn train</c>: from a CSV file to a tested, folded model.</summary>
internal static class TrainCommand
{
    public static Command Create()
    {
        var data = new Argument<string>("DATA.csv") { Description = "the table to learn from; missing values are empty fields" };
        var label = new Option<string>("--label") { Description = "the column to predict", Required = true, HelpName = "COLUMN" };
        var task = new Option<string>("--task") { Description = "what kind of prediction", HelpName = "binary", DefaultValueFactory = _ => "binary" };
        task.AcceptOnlyFromAmong("binary");
        var output = new Option<string>("--out") { Description = "the folder for the results", Required = true, HelpName = "DIR" };
        var test = new Option<string?>("--test") { Description = "a table to test on", HelpName = "TEST.csv" };
        var fraction = new Option<double>("--test-fraction")
        {
            Description = "without --test: the share of rows to test on, taken evenly from the whole table",
            DefaultValueFactory = _ => 0.2,
        };
        fraction.RequireRange(0.001, 0.999);
        var positive = new Option<string?>("--positive") { Description = "the positive class; without it yes, true or 1, otherwise the rarer one", HelpName = "VALUE" };
        var categorical = new Option<string[]>("--categorical") { Description = "a column to take as categories although it holds numbers", HelpName = "COLUMN" };
        var ignore = new Option<string[]>("--ignore") { Description = "a column to leave out", HelpName = "COLUMN" };
        var network = new NetworkOptions();
        var command = new Command("train", "Train a network on a table, test it, fold it and write it to a folder.")
        {
            data, label, task, output, test, fraction, positive, categorical, ignore,
        };
        network.AddTo(command);
        command.Validators.Add(result =>
        {
            if (result.GetResult(test) is not null && result.GetResult(fraction) is { Implicit: false })
                result.AddError("--test and --test-fraction exclude each other: with a test table, none of DATA.csv is held back.");
        });
        command.SetAction((arguments, cancellation) =>
        {
            var table = CsvTable.Read(arguments.GetRequiredValue(data));
            var (training, testing) = arguments.GetValue(test) is { } testPath
                ? (table, CsvTable.Read(testPath))
                : TableSplit.Every(table, arguments.GetValue(fraction));
            var options = new TableTrainingOptions
            {
                Label = arguments.GetRequiredValue(label),
                Schema = new TableSchemaOptions
                {
                    Positive = arguments.GetValue(positive),
                    Categorical = arguments.GetValue(categorical) ?? [],
                    Ignore = arguments.GetValue(ignore) ?? [],
                },
                Network = network.Read(arguments),
            };
            TrainingRun.Execute(training, testing, options, arguments.GetRequiredValue(output), cancellation);
            return Task.FromResult(ExitCode.Done);
        });
        return command;
    }

    /// <summary>The options that shape the network and its training.</summary>
    private sealed class NetworkOptions
    {
        private static readonly BatchNormNetworkOptions Defaults = new();

        private readonly Option<IReadOnlyList<int>> _hidden = new("--hidden")
        {
            Description = "units of each hidden layer, as 128,64",
            HelpName = "UNITS",
            DefaultValueFactory = _ => Defaults.HiddenLayers,
            CustomParser = result => CommonOptions.Parse(result, ParseUnits, Defaults.HiddenLayers),
        };

        private readonly Option<Activation> _activation = new("--activation")
        {
            Description = "relu, leakyrelu, sigmoid, tanh or identity",
            HelpName = "NAME",
            DefaultValueFactory = _ => Defaults.Activation,
            CustomParser = result => CommonOptions.Parse(result, Activation.Parse, Defaults.Activation),
        };

        private readonly Option<int> _epochs = new("--epochs") { Description = "the most passes over the rows", DefaultValueFactory = _ => Defaults.Epochs };
        private readonly Option<int> _batch = new("--batch") { Description = "rows in a mini-batch", DefaultValueFactory = _ => Defaults.BatchSize };
        private readonly Option<float> _rate = new("--lr") { Description = "the learning rate", DefaultValueFactory = _ => Defaults.Optimizer.LearningRate };
        private readonly Option<int> _seed = new("--seed") { Description = "the seed of everything random", DefaultValueFactory = _ => Defaults.Seed };
        private readonly Option<Device> _device = CommonOptions.Device();

        public NetworkOptions()
        {
            _epochs.RequireRange(1, 1_000_000);
            _batch.RequireRange(2, 1 << 20);
            _rate.RequireRange(1e-9f, 1e3f);
        }

        public void AddTo(Command command)
        {
            foreach (Option option in new Option[] { _hidden, _activation, _epochs, _batch, _rate, _seed, _device }) command.Options.Add(option);
        }

        public BatchNormNetworkOptions Read(ParseResult arguments) => Defaults with
        {
            HiddenLayers = arguments.GetValue(_hidden)!,
            Activation = arguments.GetValue(_activation)!,
            Epochs = arguments.GetValue(_epochs),
            BatchSize = arguments.GetValue(_batch),
            Optimizer = Optimizer.AdamW(arguments.GetValue(_rate)),
            Seed = arguments.GetValue(_seed),
            Device = arguments.GetValue(_device)!,
        };

        private static IReadOnlyList<int> ParseUnits(string text) =>
            [.. text.Split(',', StringSplitOptions.TrimEntries).Select(part =>
                int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var units) && units > 0
                    ? units
                    : throw new FormatException($"'{text}' is not a list of layer sizes; write positive numbers with commas, as 128,64."))];
    }
}
