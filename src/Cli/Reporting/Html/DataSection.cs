using System.Xml.Linq;
using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>What was learned from: the table and what became of each of its columns.</summary>
internal static class DataSection
{
    // More would be megabytes that nobody reads.
    private const int MostColumns = 1000;

    public static IEnumerable<XElement> Create(TrainedTable trained, string source, string rule)
    {
        var (schema, label) = (trained.Schema, trained.Schema.Label);
        yield return Html.H2("What it learned from");
        yield return Html.P(
            $"{source}: {Html.Count(trained.TrainingRows)} rows to learn from, {Html.Count(trained.TestRows)} to test on ({rule}). "
            + $"Predicted is {label.Column}, {label.Task.Describe(label)}"
            + $", from {schema.Features.FeatureCount} features made of {schema.Features.Sources.Count()} columns"
            + (schema.WeightColumn is { } weight ? $"; {weight} says how much a row counts." : "."));
        var (shown, others) = Divided(schema.Reports);
        yield return Html.Table(
            ["column", "taken as", "what was found", "rows without a value", "features"],
            shown.Select(report => new object[]
            {
                report.Name,
                Name(report.Kind),
                string.Join("; ", new[] { report.Detail, report.Reading, report.Problem }.Where(text => text is not null)),
                Html.Number(Html.Count(report.MissingRows)),
                Html.Number(Html.Count(report.FeatureCount)),
            }));
        if (others.Count > 0)
            yield return Html.Small(
                $"Not in this table, so that it can be read: {NameList.Of(others.GroupBy(report => Name(report.Kind))
                    .Select(alike => $"{Html.Count(alike.Count())} {(alike.Count() == 1 ? "column" : "columns")} ({alike.Key})"), 10)}.");
    }

    // Of very many columns those first of which there is something to be said; all in the order of the table.
    private static (IReadOnlyList<ColumnReport> Shown, IReadOnlyList<ColumnReport> Others) Divided(IReadOnlyList<ColumnReport> reports)
    {
        if (reports.Count <= MostColumns) return (reports, []);
        var order = Enumerable.Range(0, reports.Count).OrderByDescending(i => IsNotable(reports[i])).ToList();
        return (At(order.Take(MostColumns)), At(order.Skip(MostColumns)));

        IReadOnlyList<ColumnReport> At(IEnumerable<int> places) => [.. places.Order().Select(place => reports[place])];
    }

    private static bool IsNotable(ColumnReport report) => report.Kind is ColumnKind.Label or ColumnKind.Dropped or ColumnKind.Weight
        || report.MissingRows > 0 || report.Lost is not null || report.Reading is not null || report.Problem is not null;

    private static string Name(ColumnKind kind) => kind switch
    {
        ColumnKind.Label => "what is predicted",
        ColumnKind.Numeric => "numbers",
        ColumnKind.Categorical => "categories",
        ColumnKind.Embedded => "categories, embedded",
        ColumnKind.Date => "dates",
        ColumnKind.Text => "free text, its words",
        ColumnKind.Weight => "the weight of a row",
        ColumnKind.Ignored => "left out, as asked for",
        _ => "left out",
    };
}
