using System.Globalization;
using MlNetBatchNorm.Transforms;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>Finds the classes, or the range, of a label column.</summary>
internal static class LabelInference
{
    // The affirmative spellings that are positive by themselves. "1.0" is what pandas makes of 1 in a column that once had gaps.
    private static readonly HashSet<string> PositiveNames = new(StringComparer.OrdinalIgnoreCase)
    {
        "yes", "y", "true", "t", "1", "1.0", "positive", "pos",
    };

    /// <summary>Describes the label column and checks that it fits the task.</summary>
    public static (LabelMap Label, ColumnReport Report) Infer(CsvTable table, string label, TaskKind task, string? positive)
    {
        var column = table.Find(label) ?? throw new TableException(
            $"{table.FilePath}: there is no label column {NameList.Quote(label)}; the columns are {table.ColumnNames}.");
        LabelMap.RequireLabels(table, column);
        return task switch
        {
            TaskKind.Binary => InferBinary(table, column, positive),
            TaskKind.Multiclass => InferMulticlass(table, column),
            TaskKind.Regression => InferRegression(table, column),
            _ => throw new ArgumentOutOfRangeException(nameof(task), task, "There is no such task."),
        };
    }

    private static (LabelMap Label, ColumnReport Report) InferBinary(CsvTable table, TableColumn column, string? positive)
    {
        var classes = CountClasses(column);
        if (classes.Count != 2)
        {
            var advice = classes.Count == 1 ? "add rows of the other class." : "choose another task or another label.";
            throw LabelError(table, column, $"has {Describe(classes)}; a binary label has exactly two: {advice}");
        }

        var (index, reason) = ChoosePositive(table, column, classes, positive);
        var map = new LabelMap(column.Name, TaskKind.Binary, [classes[1 - index].Category, classes[index].Category]);
        var detail = $"{Describe(classes)}; positive is {map.PositiveClass} ({reason})";
        return (map, new(column.Name, ColumnKind.Label, detail, 0, 0, classes));
    }

    private static (int Index, string Reason) ChoosePositive(
        CsvTable table, TableColumn column, List<CategoryCount> classes, string? positive)
    {
        if (positive is not null)
        {
            var chosen = classes.FindIndex(known => known.Category == positive.Trim());
            return chosen >= 0
                ? (chosen, "as chosen")
                : throw new TableException(
                    $"{table.FilePath}: the positive class {NameList.Quote(positive)} does not occur in the label column " +
                    $"{NameList.Quote(column.Name)}, which has {Describe(classes)}.");
        }

        var named = classes.FindIndex(known => PositiveNames.Contains(known.Category));
        var lastNamed = classes.FindLastIndex(known => PositiveNames.Contains(known.Category));
        if (named >= 0 && named == lastNamed)
            return (named, "by its name");
        return classes[0].Rows.CompareTo(classes[1].Rows) switch
        {
            < 0 => (0, "the rarer one"),
            > 0 => (1, "the rarer one"),
            _ => (1, "the last one, as both are equally frequent"),
        };
    }

    private static (LabelMap Label, ColumnReport Report) InferMulticlass(CsvTable table, TableColumn column)
    {
        var classes = CountClasses(column);
        if (classes.Count < 2)
        {
            throw LabelError(table, column, $"has {Describe(classes)}; there must be two or more.");
        }

        if (classes.Count > Math.Max(ColumnInference.FewTexts, column.Count / 2))
        {
            throw LabelError(
                table, column, $"has {classes.Count} different values in {column.Count} rows, too many for classes; " +
                "choose the task regression if they are numbers, or another label.");
        }

        var map = new LabelMap(column.Name, TaskKind.Multiclass, [.. classes.Select(known => known.Category)]);
        return (map, new(column.Name, ColumnKind.Label, Describe(classes), 0, 0, classes));
    }

    private static (LabelMap Label, ColumnReport Report) InferRegression(CsvTable table, TableColumn column)
    {
        var values = column.ReadNumbers(table, float.NaN, LabelMap.NumberAdvice);
        var numbers = Array.ConvertAll(column.Codes, code => values[code]);
        var (least, most) = (numbers.Min(), numbers.Max());
        if (least == most)
        {
            throw LabelError(table, column, $"is {column[0]} in every row; there is nothing to learn.");
        }

        var mean = numbers.Average(number => (double)number);
        var detail = string.Create(CultureInfo.InvariantCulture, $"{least:G6} to {most:G6}, mean {mean:G6}");
        return (new(column.Name, TaskKind.Regression, []), new(column.Name, ColumnKind.Label, detail, 0, 0, []));
    }

    /// <summary>The classes in order: by number where all are numbers, else by their characters.</summary>
    private static List<CategoryCount> CountClasses(TableColumn column)
    {
        var rows = column.CountRows();
        var codes = Enumerable.Range(0, rows.Length).Where(code => rows[code] > 0).ToList();
        var values = column.Values.ToArray();
        var texts = column.Texts.ToArray();
        var ordered = codes.OrderBy(code => texts[code], StringComparer.Ordinal);
        if (codes.TrueForAll(code => values[code].Kind == CellKind.Number))
            ordered = codes.OrderBy(code => values[code].Number).ThenBy(code => texts[code], StringComparer.Ordinal);
        return [.. ordered.Select(code => new CategoryCount(texts[code], rows[code]))];
    }

    private static TableException LabelError(CsvTable table, TableColumn column, string problem) =>
        new($"{table.FilePath}: the label column {NameList.Quote(column.Name)} {problem}");

    private static string Describe(List<CategoryCount> classes) =>
        $"{(classes.Count == 1 ? "1 class" : $"{classes.Count} classes")}: {NameList.Of(classes.Select(known => known.ToString()), 30)}";
}
