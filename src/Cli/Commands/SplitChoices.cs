using System.CommandLine;
using System.CommandLine.Parsing;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Transforms.Tasks;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary>The options that say which rows are tested on, and which are validated by.</summary>
internal sealed class SplitChoices
{
    private readonly Option<double> _fraction = new("--test-fraction")
    {
        Description = "without --test: the share of rows to test on, drawn at random by --seed, of each class its share",
        HelpName = "SHARE",
        DefaultValueFactory = _ => 0.2,
    };

    private readonly Option<string?> _group = new("--group")
    {
        Description = "a column whose equal values stay together, in testing and in validation; it is no feature",
        HelpName = "COLUMN",
    };

    private readonly Option<string?> _time = new("--time")
    {
        Description = "a column of dates or numbers by which the latest rows are tested on, and validated by the latest before them",
        HelpName = "COLUMN",
    };

    private readonly Option<string> _order = new("--test-order")
    {
        Description = "random, or file: test rows evenly from the whole table, in its order (with 0.2 every fifth)",
        HelpName = "random|file",
        DefaultValueFactory = _ => "random",
    };

    public SplitChoices()
    {
        _fraction.RequireRange(0.001, 0.999);
        _order.AcceptOnlyFromAmong("random", "file");
    }

    public IReadOnlyList<Option> All => [_fraction, _group, _time, _order];

    /// <summary>Rejects options that exclude each other.</summary>
    public void Validate(CommandResult result, Option test)
    {
        if (IsGiven(test) && IsGiven(_fraction))
            result.AddError("--test and --test-fraction exclude each other: with a test table, none of DATA.csv is held back.");
        if (IsGiven(_group) && IsGiven(_time)) result.AddError("--group and --time exclude each other: choose what divides the rows.");
        foreach (var option in new[] { test, _group, _time }.Where(option => IsGiven(option) && IsGiven(_order)))
            result.AddError($"{option.Name} and --test-order exclude each other: {option.Name} says which rows are tested on.");

        bool IsGiven(Option option) => result.GetResult(option) is { Implicit: false };
    }

    /// <summary>Says of the columns that were given what they are.</summary>
    public TableSchemaOptions Apply(TableSchemaOptions options, ParseResult arguments) =>
        options with { Group = arguments.GetValue(_group), Time = arguments.GetValue(_time) };

    /// <summary>The columns that were given; their texts say which rows belong together, or follow each other.</summary>
    public IEnumerable<string> TextColumns(ParseResult arguments) =>
        new[] { arguments.GetValue(_group), arguments.GetValue(_time) }.OfType<string>();

    /// <summary>What was given, beside the options of the training.</summary>
    public SplitOptions Read(ParseResult arguments, TableTrainingOptions training) => new()
    {
        TestShare = arguments.GetValue(_fraction),
        ValidationShare = NetworkTask.Of(training.Task).Complete(training.Network, rows: 1000, features: 1).ValidationFraction ?? 0,
        Seed = training.Network.Seed ?? 0,
        Group = arguments.GetValue(_group),
        Time = arguments.GetValue(_time),
        DateOrder = training.Schema.DateOrder,
        FileOrder = arguments.GetValue(_order) == "file",
    };
}
