namespace MlNetBatchNorm.Cli.Tables;

/// <summary>The classes that a label column has.</summary>
internal static class LabelClasses
{
    /// <summary>The classes in order: by number where all are numbers, else by their characters.</summary>
    public static IReadOnlyList<CategoryCount> Count(TableColumn column)
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

    /// <summary>Refuses classes that are one number written in two ways: a network would tell 1 from 1.0.</summary>
    public static void RequireDifferentNumbers(CsvTable table, TableColumn column)
    {
        var rows = column.CountRows();
        var seen = new Dictionary<double, string>();
        for (var code = 0; code < rows.Length; code++)
        {
            if (rows[code] == 0 || column.Values[code] is not { Kind: CellKind.Number } value) continue;
            if (!seen.TryAdd(value.Number, column.Texts[code]))
            {
                throw Error(
                    table,
                    column,
                    $"has the classes {NameList.Quote(seen[value.Number])} and {NameList.Quote(column.Texts[code])}, which are one number; "
                    + "write them alike.");
            }
        }
    }

    /// <summary>The classes for a message: "2 classes: No (5174), Yes (1869)".</summary>
    public static string Describe(IReadOnlyList<CategoryCount> classes) =>
        $"{(classes.Count == 1 ? "1 class" : $"{classes.Count} classes")}: {NameList.Of(classes.Select(known => known.ToString()), 30)}";

    /// <summary>The error that a column is no label of a task.</summary>
    public static TableException Error(CsvTable table, TableColumn column, string problem) =>
        new($"{table.FilePath}: the label column {NameList.Quote(column.Name)} {problem}");
}
