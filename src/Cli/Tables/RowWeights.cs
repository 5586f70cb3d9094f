namespace MlNetBatchNorm.Cli.Tables;

/// <summary>The column of a table that says how much each row counts.</summary>
internal static class RowWeights
{
    private const string Advice = "a weight is a number from 0: fix it, or leave the row out";

    /// <summary>The weight of every row; null where there is no such column: all rows count the same.</summary>
    /// <exception cref="TableException">A row has no weight, or one that is not a number from 0.</exception>
    public static float[]? Read(CsvTable table, string? name, NumberFormat numbers)
    {
        if (name is null || table.Find(name)?.ReadAs(numbers) is not { } column) return null;
        var weights = Array.ConvertAll(column.ReadRows(table, double.NaN, Advice), weight => (float)weight);
        for (var row = 0; row < weights.Length; row++)
        {
            if (weights[row] is >= 0 and < float.PositiveInfinity) continue;
            throw table.CellError(
                row, name, $"{(column.IsMissing(row) ? "the weight is missing" : Problem(column[row], weights[row]))}; {Advice}.");
        }

        return weights;

        static string Problem(string text, float weight) =>
            $"{NameList.Quote(text)} is {(weight > 0 ? "more than float32 can hold" : "below 0")}";
    }
}
