using System.CommandLine;
using System.Globalization;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Precision;
using MlNetBatchNorm.Trainer;
using MlNetBatchNorm.Transforms;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary>The options that shape the network and its training. Those that are left out are the library's defaults, some of them by the task.</summary>
internal sealed class NetworkOptions
{
    private static readonly BatchNormNetworkOptions Defaults = new();

    private readonly Option<IReadOnlyList<int>?> _hidden = new("--hidden")
    {
        Description = "units of each hidden layer, as 128,64 [default: by the task]",
        HelpName = "UNITS",
        CustomParser = result => CommonOptions.Parse<IReadOnlyList<int>?>(result, ParseUnits, null),
    };

    private readonly Option<Activation?> _activation = new("--activation")
    {
        Description = "relu, leakyrelu, sigmoid, tanh or identity [default: by the task]",
        HelpName = "NAME",
        CustomParser = result => CommonOptions.Parse<Activation?>(result, Activation.Parse, null),
    };

    private readonly Option<int?> _epochs = new("--epochs") { Description = "the most passes over the rows [default: by the task]" };
    private readonly Option<int> _batch = new("--batch") { Description = "rows in a mini-batch", DefaultValueFactory = _ => Defaults.BatchSize };
    private readonly Option<float?> _rate = new("--lr") { Description = "the learning rate of AdamW [default: by the task]", HelpName = "RATE" };
    private readonly Option<int> _seed = new("--seed") { Description = "the seed of everything random", DefaultValueFactory = _ => Defaults.Seed ?? 0 };
    private readonly Option<Device> _device = CommonOptions.Device();
    private readonly Option<ModelPrecision> _precision = CommonOptions.Precision();

    private readonly Option<double> _precisionLoss = new("--precision-loss")
    {
        Description = "with --precision: the most that accuracy or AUC may fall, or RMSE grow in relation to itself; above it nothing is written",
        HelpName = "X",
        DefaultValueFactory = _ => Defaults.PrecisionLoss,
    };

    public NetworkOptions()
    {
        _epochs.RequireRange(1, 1_000_000);
        _batch.RequireRange(2, 1 << 20);
        _rate.RequireRange(1e-9f, 1e3f);
        _precisionLoss.RequireRange(0, 1);
    }

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _hidden, _activation, _epochs, _batch, _rate, _seed, _device, _precision, _precisionLoss }) command.Options.Add(option);
    }

    public BatchNormNetworkOptions Read(ParseResult arguments) => Defaults with
    {
        HiddenLayers = arguments.GetValue(_hidden),
        Activation = arguments.GetValue(_activation),
        Epochs = arguments.GetValue(_epochs),
        BatchSize = arguments.GetValue(_batch),
        Optimizer = arguments.GetValue(_rate) is { } rate ? Optimizer.AdamW(rate) : null,
        Seed = arguments.GetValue(_seed),
        Device = arguments.GetValue(_device)!,
        Precision = arguments.GetValue(_precision),
        PrecisionLoss = arguments.GetValue(_precisionLoss),
    };

    private static IReadOnlyList<int> ParseUnits(string text) =>
        [.. text.Split(',', StringSplitOptions.TrimEntries).Select(part =>
            int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var units) && units > 0
                ? units
                : throw new FormatException($"'{text}' is not a list of layer sizes; write positive numbers with commas, as 128,64."))];
}
