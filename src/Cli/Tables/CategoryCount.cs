namespace MlNetBatchNorm.Cli.Tables;

/// <summary>How often a text occurs in a column of the training table.</summary>
/// <param name="Category">The text.</param>
/// <param name="Rows">The rows that have it.</param>
internal sealed record CategoryCount(string Category, int Rows)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Category} ({Rows})";
}
