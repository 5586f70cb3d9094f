namespace MlNetBatchNorm.Cli.Tables;

/// <summary>Rows whose text in a column of categories was not there in training; all the features of that column are 0 in them.</summary>
/// <param name="Column">The column.</param>
/// <param name="Rows">How many rows.</param>
/// <param name="Examples">Up to three of the texts, in the order in which they first occur.</param>
internal sealed record UnknownValues(string Column, int Rows, IReadOnlyList<string> Examples)
{
    /// <inheritdoc/>
    public override string ToString() =>
        $"{(Rows == 1 ? "1 row has" : $"{Rows} rows have")} a value in column {NameList.Quote(Column)} that was not there in training: " +
        string.Join(", ", Examples.Select(NameList.Quote));
}
