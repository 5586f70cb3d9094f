namespace MlNetBatchNorm.Cli.Tables;

/// <summary>Splits a table into a part to learn from and a part to test on.</summary>
internal static class TableSplit
{
    /// <summary>
    /// Takes test rows evenly from the whole table, starting with the first: with a fraction of 0.2 every fifth row. No chance is involved,
    /// so figures can be compared from run to run and from program to program.
    /// </summary>
    /// <param name="table">The table.</param>
    /// <param name="testFraction">The share of test rows, above 0 and below 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">Another fraction.</exception>
    public static (CsvTable Training, CsvTable Test) Every(CsvTable table, double testFraction)
    {
        ArgumentNullException.ThrowIfNull(table);
        if (testFraction is not (> 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(testFraction), testFraction, "The test part is above 0 and below 1.");
        var isTest = Enumerable.Range(0, table.RowCount)
            .ToLookup(row => Math.Floor(row * testFraction) > Math.Floor((row - 1) * testFraction));
        return (table.Select([.. isTest[false]]), table.Select([.. isTest[true]]));
    }
}
