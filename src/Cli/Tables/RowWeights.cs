namespace MlNetBatchNorm.Cli.Tables;

/// <summary>The column of a table that says how much each row counts.</summary>
internal static class RowWeights
{
    private const string Advice = "a weight is a number from 0: fix it, or leave the row out";

    /// <summary>The weight that each different text of the column means.</summary>
    /// <exception cref="TableException">A row has no weight, or one that is not a number from 0.</exception>
    public static float[] ReadTexts(CsvTable table, string name, NumberFormat numbers)
    {
        var column = table.Column(name).ReadAs(numbers);
        var weights = Array.ConvertAll(column.ReadNumbers(table, double.NaN, Advice), weight => (float)weight);
        for (var code = 0; code < weights.Length; code++)
        {
            if (weights[code] is >= 0 and < float.PositiveInfinity || column.FirstRowWith(code) is not (>= 0 and var row)) continue;
            throw table.CellError(
                row, name, $"{(column.IsMissing(row) ? "the weight is missing" : Problem(column[row], weights[code]))}; {Advice}.");
        }

        return weights;

        static string Problem(string text, float weight) =>
            $"{NameList.Quote(text)} is {(weight > 0 ? "more than float32 can hold" : "below 0")}";
    }

    /// <summary>The weight of every row; null where there is no such column: all rows count the same.</summary>
    public static float[]? Read(CsvTable table, string? name, NumberFormat numbers)
    {
        if (name is null || table.Find(name) is not { } column) return null;
        var weights = ReadTexts(table, name, numbers);
        return Array.ConvertAll(column.Codes, code => weights[code]);
    }
}
