using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Transforms.Tasks;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary>The options of the training itself. Those that are left out are the library's defaults, some of them by the task.</summary>
internal sealed class LearningOptions
{
    private static readonly BatchNormNetworkOptions Defaults = new();

    private readonly Option<Loss?> _loss = CommonOptions.Parsed(
        "--loss",
        "NAME",
        "for regression: squared, absolute or huber[:DELTA], in standard deviations of the label [default: squared]",
        Loss.Parse);

    private readonly Option<ClassWeights?> _classWeights = CommonOptions.Parsed(
        "--class-weights",
        "WEIGHTS",
        "how much each class counts: balanced, or weights as Yes=3,No=1 [default: every row the same]",
        ClassWeights.Parse);

    private readonly Option<float?> _smoothing = new("--label-smoothing")
    {
        Description = "for classes: the share of the target that goes to all classes alike [default: 0.05 for two classes with the "
            + "accurate preset, else none]",
        HelpName = "SHARE",
    };
    private readonly Option<int?> _epochs = new("--epochs")
    {
        Description = "the most passes over the rows [default: by the task]",
        HelpName = "N",
    };

    private readonly Option<int?> _patience = new("--patience")
    {
        Description = "epochs without a better validation loss after which training stops; 0 = never [default: by the task]",
        HelpName = "N",
    };

    private readonly Option<double?> _validation = new("--validation-fraction")
    {
        Description = "the share of the rows to measure each epoch by; 0 = none [default: by the task]",
        HelpName = "SHARE",
    };

    private readonly Option<int?> _batch = new("--batch")
    {
        Description = "rows in a mini-batch [default: 128, with the accurate preset 256 from 10,000 rows on]",
        HelpName = "ROWS",
    };

    private readonly Option<string> _optimizer = new("--optimizer")
    {
        Description = "sgd[:MOMENTUM], nesterov[:MOMENTUM], adam or adamw",
        HelpName = "NAME",
        DefaultValueFactory = _ => "adamw",
    };

    private readonly Option<float?> _rate = new("--lr")
    {
        Description = "the learning rate [default: by the task for adam and adamw, otherwise 0.1]",
        HelpName = "RATE",
    };
    private readonly Option<float?> _decay = new("--weight-decay")
    {
        Description = "shrinks weights, not gamma, beta and biases [default: 0.01 for adamw, otherwise 0]",
        HelpName = "DECAY",
    };

    private readonly Option<LearningRateSchedule?> _schedule = CommonOptions.Parsed(
        "--schedule",
        "NAME",
        "how the learning rate changes: constant, cosine[:WARMUP], warmup[:SHARE] or step[:FACTOR,MILESTONE,…] [default: by the task]",
        LearningRateSchedule.Parse);

    private readonly Option<float?> _clip = new("--clip")
    {
        Description = "the largest norm of all gradients together [default: none]",
        HelpName = "NORM",
    };

    private readonly Option<float> _averaging = new("--weight-averaging")
    {
        Description = "keep an average of the weights instead of the last ones; so much of it stays at each step, as 0.999 [default: none]",
        HelpName = "SHARE",
    };

    private readonly Option<RunningStatistics?> _statistics = CommonOptions.Parsed(
        "--statistics",
        "RULE",
        "mean and variance for inference: pytorch[:MOMENTUM of the new value], keras[:MOMENTUM of the old value], debiased[:MOMENTUM], "
            + "cumulative or population [default: pytorch:0.1]",
        RunningStatistics.Parse);

    private readonly Option<bool> _raw = new("--no-standardize")
    {
        Description = "take the features as they are, without bringing each to mean 0 and variance 1",
    };
    private readonly Option<int> _seed = new("--seed")
    {
        Description = "the seed of everything random",
        HelpName = "N",
        DefaultValueFactory = _ => Defaults.Seed ?? 0,
    };

    private readonly Option<int?> _threads = new("--threads")
    {
        Description = "threads that share a step, on which the last digits depend [default: 1 for small networks, else one for each core]",
        HelpName = "N",
    };

    private readonly Option<long?> _memory = new("--memory")
    {
        Description = "memory for the rows to learn from, as 500MB or 4GB; more of them are kept in a file [default: half of what is free]",
        HelpName = "SIZE",
        CustomParser = result => CommonOptions.Parse<long?>(result, text => ParseBytes(text), null),
    };

    private readonly Option<Device> _device = CommonOptions.Device();

    private readonly Option<bool> _sync = new("--sync-statistics")
    {
        Description = "under mpirun: normalize the mini-batches of all processes together, as if they were one",
    };

    public LearningOptions()
    {
        _smoothing.RequireRange(0, 0.99f);
        _epochs.RequireRange(1, 1_000_000);
        _patience.RequireRange(0, 1_000_000);
        _validation.RequireRange(0, 0.9);
        _batch.RequireRange(1, 1 << 20);
        _rate.RequireRange(1e-9f, 1e3f);
        _decay.RequireRange(0, 10);
        _clip.RequireRange(1e-9f, 1e9f);
        _averaging.RequireRange(0, 0.999999f);
        _threads.RequireRange(1, 1024);
        _optimizer.Validators.Add(result =>
        {
            // Here for its name; the numbers come to it later.
            try
            {
                Optimizer.Parse(result.GetValueOrDefault<string>());
            }
            catch (Exception exception) when (exception is FormatException or ArgumentException)
            {
                result.AddError(Failure.Text(exception));
            }
        });
    }

    public IReadOnlyList<Option> All =>
    [
        _loss, _classWeights, _smoothing, _epochs, _patience, _validation, _batch, _optimizer, _rate, _decay, _schedule, _clip, _averaging,
        _statistics, _sync, _raw, _seed, _threads, _memory, _device,
    ];

    /// <summary>Rejects options that do not go with the task.</summary>
    public void Validate(CommandResult result, TableTask task)
    {
        if (task.HasClasses) Reject(_loss, "chooses among losses for numbers; it goes with --task regression only.");
        else Reject(_classWeights, "needs classes; it goes with --task binary and multiclass only.");
        if (!task.HasClasses) Reject(_smoothing, "needs classes; it goes with --task binary and multiclass only.");
        if (string.Equals(result.Given(_optimizer), "adam", StringComparison.OrdinalIgnoreCase))
            Reject(_decay, "does not go with adam, which has none; use adamw.");

        void Reject(Option option, string reason)
        {
            if (result.GetResult(option) is { Implicit: false }) result.AddError($"{option.Name} {reason}");
        }
    }

    /// <summary>Sets the options that were given.</summary>
    public TableTrainingOptions Apply(TableTrainingOptions options, ParseResult arguments) => options with
    {
        Network = options.Network with
        {
            Loss = arguments.GetValue(_smoothing) is { } smoothing
                ? NetworkTask.Of(options.Task).SmoothedLoss(smoothing)
                : arguments.GetValue(_loss),
            ClassWeights = arguments.GetValue(_classWeights),
            Epochs = arguments.GetValue(_epochs),
            EarlyStoppingPatience = arguments.GetValue(_patience),
            ValidationFraction = arguments.GetValue(_validation),
            BatchSize = arguments.GetValue(_batch),
            Optimizer = ReadOptimizer(arguments, options),
            Schedule = arguments.GetValue(_schedule),
            MaximumGradientNorm = arguments.GetValue(_clip),
            WeightAveraging = arguments.GetValue(_averaging),
            BatchNorm = options.Network.BatchNorm with { Statistics = arguments.GetValue(_statistics) ?? Defaults.BatchNorm.Statistics },
            StandardizeFeatures = !arguments.GetValue(_raw),
            Seed = arguments.GetValue(_seed),
            Threads = arguments.GetValue(_threads),
            RowMemory = arguments.GetValue(_memory),
            Device = arguments.GetValue(_device)!,
            SyncStatistics = arguments.GetValue(_sync),
        },
    };

    private static long ParseBytes(string text)
    {
        foreach (var (unit, size) in new[] { ("GB", 1e9), ("MB", 1e6) })
            if (text.EndsWith(unit, StringComparison.OrdinalIgnoreCase)
                && double.TryParse(text[..^2], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
                && number * size is >= 1e6 and < 1e15)
                return (long)(number * size);
        throw new FormatException($"'{text}' is not a size of memory; write megabytes or gigabytes, as 500MB or 4GB, from 1MB on.");
    }

    private Optimizer? ReadOptimizer(ParseResult arguments, TableTrainingOptions options)
    {
        if (!new Option[] { _optimizer, _rate, _decay }.Any(option => arguments.GetResult(option) is { Implicit: false })) return null;
        var name = arguments.GetRequiredValue(_optimizer);
        float? usual = name.StartsWith("adam", StringComparison.OrdinalIgnoreCase)
            ? NetworkTask.Of(options.Task).Complete(options.Network, rows: 1000, features: 1).Optimizer!.LearningRate
            : null;
        return Optimizer.Parse(name, arguments.GetValue(_rate) ?? usual, arguments.GetValue(_decay));
    }
}
