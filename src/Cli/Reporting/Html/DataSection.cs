using System.Xml.Linq;
using MlNetBatchNorm.Cli.Tables;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>What was learned from: the table and what became of each of its columns.</summary>
internal static class DataSection
{
    public static IEnumerable<XElement> Create(TrainedTable trained, string source, string rule)
    {
        var (schema, label) = (trained.Schema, trained.Schema.Label);
        yield return Html.H2("What it learned from");
        yield return Html.P(
            $"{source}: {Html.Count(trained.TrainingRows)} rows to learn from, {Html.Count(trained.TestRows)} to test on ({rule}). "
            + $"Predicted is {label.Column}, {label.Task.Describe(label)}"
            + $", from {schema.Features.FeatureCount} features made of {schema.Features.Sources.Count()} columns"
            + (schema.WeightColumn is { } weight ? $"; {weight} says how much a row counts." : "."));
        yield return Html.Table(
            ["column", "taken as", "what was found", "rows without a value", "features"],
            schema.Reports.Select(report => new object[]
            {
                report.Name,
                Name(report.Kind),
                string.Join("; ", new[] { report.Detail, report.Reading, report.Problem }.Where(text => text is not null)),
                Html.Number(Html.Count(report.MissingRows)),
                Html.Number(Html.Count(report.FeatureCount)),
            }));
    }

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
