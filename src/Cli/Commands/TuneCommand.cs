using System.CommandLine;
using System.Globalization;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary><c>mlnetbn tune</c>: <c>train</c> with a search for better options before it.</summary>
internal static class TuneCommand
{
    public static Command Create() => TrainCommand.Create(
        "tune",
        "Look for options that suit a table better than the defaults, on folds of the rows to learn from; then train, test and write with "
            + "the best, as train does. Stopped, the same command goes on.",
        new TuningOptions());
}

/// <summary>The options of the search.</summary>
internal sealed class TuningOptions
{
    private readonly Option<int?> _trials = new("--trials")
    {
        Description = "the most settings that are tried, the defaults among them [default: 27, with --time-limit what fits into it]",
        HelpName = "N",
    };

    private readonly Option<TimeSpan?> _limit = new("--time-limit")
    {
        Description = "how long to try, as 90s, 10m or 2h; the defaults are tried whatever they take, and the last training comes on top",
        HelpName = "TIME",
        CustomParser = result => CommonOptions.Parse<TimeSpan?>(result, text => ParseTime(text), null),
    };

    private readonly Option<int> _folds = new("--folds")
    {
        Description = "parts of the rows to learn from, each predicted by networks that learned from the others; with --group whole "
            + "groups, with --time each from what was before it",
        HelpName = "N",
        DefaultValueFactory = _ => 4,
    };

    public TuningOptions()
    {
        _trials.RequireRange(2, 10_000);
        _folds.RequireRange(2, 50);
    }

    public IReadOnlyList<Option> All => [_trials, _limit, _folds];

    /// <summary>What was given.</summary>
    /// <param name="arguments">The command.</param>
    /// <param name="training">The rows to learn from.</param>
    /// <param name="splitting">How rows are divided.</param>
    public TableTuning Read(ParseResult arguments, CsvTable training, SplitOptions splitting)
    {
        var folds = arguments.GetValue(_folds);
        return new TableTuning
        {
            Trials = arguments.GetValue(_trials),
            TimeLimit = arguments.GetValue(_limit),
            Folds = folds,
            GivenFolds = TableSplit.DivideIntoFolds(training, splitting, folds),
        };
    }

    private static TimeSpan ParseTime(string text)
    {
        foreach (var (unit, seconds) in new[] { ('s', 1.0), ('m', 60), ('h', 3600) })
            if (text.EndsWith(unit)
                && double.TryParse(text[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
                && number * seconds is >= 1 and <= 30 * 86400)
                return TimeSpan.FromSeconds(number * seconds);
        throw new FormatException($"'{text}' is not a time; write seconds, minutes or hours, as 90s, 10m or 2h, up to 720h.");
    }
}
