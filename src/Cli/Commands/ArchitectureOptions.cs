using System.CommandLine;
using System.CommandLine.Parsing;
using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary>The options that shape the network: the usual one for tables, or one of the user's own as text.</summary>
internal sealed class ArchitectureOptions
{
    private static readonly BatchNormOptions Defaults = new();

    private readonly Option<Preset?> _preset = new("--preset")
    {
        Description = "what the options below mean where they are left out: accurate, an ensemble on encoded numbers, or fast, one small "
            + "network [default: accurate, with --network fast]",
        HelpName = "accurate|fast",
    };

    private readonly Option<int?> _members = new("--members")
    {
        Description = "members of an ensemble inside the network; 1 = none [default: accurate 8, fast 1]",
        HelpName = "N",
    };

    private readonly Option<bool> _shared = new("--shared-weights")
    {
        Description = "members share the weights of their hidden layers; each epoch is then measured on rows held out",
    };

    private readonly Option<NumericEncoding?> _numbers = CommonOptions.Parsed(
        "--numbers",
        "ENCODING",
        "what the network sees of a number: standardize, piecewise[:BINS] or periodic[:FREQUENCIES,DEVIATION] [default: accurate "
            + "piecewise, fast standardize]",
        NumericEncoding.Parse);

    private readonly Option<float> _embedding = new("--embedding-scale")
    {
        Description = "how long the vectors of categories in columns of more than 100 levels are, in relation to twice the fourth root of "
            + "their number",
        HelpName = "X",
        DefaultValueFactory = _ => 1,
    };

    private readonly Option<TargetTransform?> _target = new("--target")
    {
        Description = "for regression: learn the label as it is (none), or where it is skewed as a logarithm (auto) [default: accurate "
            + "auto, fast none]",
        HelpName = "none|auto",
    };

    private readonly Option<bool> _uncalibrated = new("--no-calibrate")
    {
        Description = "leave the probabilities of an ensemble as they are",
    };

    private readonly Option<IReadOnlyList<int>?> _hidden = CommonOptions.Parsed<IReadOnlyList<int>>(
        "--hidden",
        "UNITS",
        "units of each hidden layer, as 128,64 [default: by the task]",
        text => CommonOptions.ParseSizes(text, "layer sizes", "128,64"));

    private readonly Option<Activation?> _activation = CommonOptions.Parsed(
        "--activation",
        "NAME",
        "relu, leakyrelu[:SLOPE], gelu, silu, softplus, sigmoid, tanh or identity [default: by the task]",
        Activation.Parse);

    private readonly Option<Normalization?> _normalization = CommonOptions.Parsed(
        "--normalization",
        "NAME",
        "what normalizes the hidden layers: batch, layer, group:GROUPS or none [default: batch]",
        Normalization.Parse);

    private readonly Option<string> _placement = new("--placement")
    {
        Description = "where it stands: before the activation or after it",
        HelpName = "before|after",
        DefaultValueFactory = _ => "before",
    };

    private readonly Option<float> _epsilon = new("--epsilon")
    {
        Description = "added to the variance in a batch normalization",
        HelpName = "E",
        DefaultValueFactory = _ => Defaults.Epsilon,
    };

    private readonly Option<int?> _ghost = new("--ghost")
    {
        Description = "normalize slices of so many rows instead of whole mini-batches",
        HelpName = "ROWS",
    };
    private readonly Option<float?> _dropout = new("--dropout")
    {
        Description = "the rate of a dropout in front of the last layer [default: by the task]",
        HelpName = "RATE",
    };

    private readonly Option<float?> _hiddenDropout = new("--hidden-dropout")
    {
        Description = "the rate of a dropout behind each hidden layer but the last [default: accurate 0.05, fast none]",
        HelpName = "RATE",
    };

    private readonly Option<Initializer?> _initializer = CommonOptions.Parsed(
        "--init",
        "NAME",
        "first weights: he, heuniform, glorot, glorotnormal, normal:DEVIATION, orthogonal[:GAIN], zeros or ones [default: he before a "
            + "relu, else glorot]",
        Initializer.Parse);

    private readonly Option<string?> _network = new("--network")
    {
        Description =
            "instead of all these: layers as text, as 'dense 64; batchnorm; relu; dense 1', or a file with one a line (see "
            + "docs/networks.md)",
        HelpName = "TEXT|FILE",
    };

    private readonly Option<IReadOnlyList<int>?> _inputShape = CommonOptions.Parsed<IReadOnlyList<int>>(
        "--input-shape",
        "SIZES",
        "with --network: the shape of a row, channels first, as 1,28,28 [default: a plain vector]",
        text => CommonOptions.ParseSizes(text, "sizes", "1,28,28"));

    public ArchitectureOptions()
    {
        _members.RequireRange(1, 1024);
        _embedding.RequireRange(0.01f, 16);
        _placement.AcceptOnlyFromAmong("before", "after");
        _epsilon.RequireRange(0, 1);
        _ghost.RequireRange(2, 1 << 20);
        _dropout.RequireRange(0, 0.99f);
        _hiddenDropout.RequireRange(0, 0.99f);
    }

    // What is said of the training, not of the layers.
    private Option[] BesideNetwork => [_network, _inputShape, _preset, _numbers, _embedding, _target, _uncalibrated];

    public IReadOnlyList<Option> All =>
    [
        _preset, _members, _shared, _numbers, _embedding, _target, _uncalibrated, _hidden, _activation, _normalization, _placement,
        _epsilon, _ghost, _dropout, _hiddenDropout, _initializer, _network, _inputShape,
    ];

    /// <summary>Rejects options that exclude each other.</summary>
    public void Validate(CommandResult result)
    {
        if (IsGiven(_network))
        {
            foreach (var option in All.Where(option => !BesideNetwork.Contains(option) && IsGiven(option)))
                result.AddError($"{option.Name} has no effect on a --network of your own: write it into the layers.");
        }
        else if (IsGiven(_inputShape))
        {
            result.AddError("--input-shape goes with --network: the hidden layers of a table's network take a plain vector.");
        }

        var isFast = string.Equals(result.Given(_preset), nameof(Preset.Fast), StringComparison.OrdinalIgnoreCase);
        if (IsGiven(_shared) && (IsGiven(_members) ? result.Given(_members) == "1" : isFast))
            result.AddError("--shared-weights is about the members of an ensemble, but there is one network only: give --members.");

        if (result.Given(_normalization) is { } normalization && !normalization.Equals("batch", StringComparison.OrdinalIgnoreCase))
            foreach (var option in new Option[] { _epsilon, _ghost }.Where(IsGiven))
                result.AddError($"{option.Name} is for batch normalization, but --normalization says otherwise.");

        bool IsGiven(Option option) => result.GetResult(option) is { Implicit: false };
    }

    /// <summary>Sets the options that were given.</summary>
    public TableTrainingOptions Apply(TableTrainingOptions options, ParseResult arguments)
    {
        var normalization = arguments.GetValue(_normalization);
        return options with
        {
            Architecture = arguments.GetValue(_network) is { } network ? shape => Read(network, shape) : null,
            InputShape = arguments.GetValue(_inputShape)?.Select(size => (long)size).ToArray(),
            Network = options.Network with
            {
                Preset = arguments.GetValue(_preset),
                Members = arguments.GetValue(_members),
                SharedWeights = arguments.GetValue(_shared),
                NumericEncoding = arguments.GetValue(_numbers),
                EmbeddingScale = arguments.GetValue(_embedding),
                TargetTransform = arguments.GetValue(_target),
                Calibrate = !arguments.GetValue(_uncalibrated),
                HiddenLayers = arguments.GetValue(_hidden),
                Activation = arguments.GetValue(_activation),
                Dropout = arguments.GetValue(_dropout),
                HiddenDropout = arguments.GetValue(_hiddenDropout),
                WeightInitializer = arguments.GetValue(_initializer),
                Normalization = normalization is { IsBatch: false } ? normalization : null,
                BatchNorm = options.Network.BatchNorm with
                {
                    Epsilon = arguments.GetValue(_epsilon),
                    GhostBatchSize = arguments.GetValue(_ghost),
                    Placement = arguments.GetValue(_placement) == "after"
                        ? BatchNormPlacement.AfterActivation
                        : BatchNormPlacement.BeforeActivation,
                },
            },
        };
    }

    private static Network Read(string given, long[] shape)
    {
        try
        {
            return Network.Parse(ReadText(given), shape);
        }
        catch (Exception exception) when (exception is FormatException or ArgumentException or FileNotFoundException)
        {
            throw new UsageException($"--network: {Failure.Text(exception)}", exception);
        }
    }

    private static string ReadText(string given)
    {
        if (File.Exists(given)) return File.ReadAllText(given);
        return given.EndsWith(".txt", StringComparison.OrdinalIgnoreCase) || given.Contains(Path.DirectorySeparatorChar)
            ? throw new FileNotFoundException($"There is no file '{given}' with a network.", given)
            : given;
    }
}
