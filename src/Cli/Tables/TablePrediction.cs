
namespace MlNetBatchNorm.Cli.Tables;

/// <summary>The predictions for some rows of a table.</summary>
/// <param name="Task">What is predicted, which says what the values mean.</param>
/// <param name="Classes">The classes, for two of them the negative one first; none for regression.</param>
/// <param name="RowCount">The number of rows.</param>
/// <param name="Values">What the network gives: one output after the other, each of them row by row.</param>
/// <param name="Offset">What is to be added to the values of a regression, in float64.</param>
internal sealed record TablePrediction(
    TableTask Task, IReadOnlyList<string> Classes, int RowCount, float[] Values, double Offset)
{
    /// <summary>Columns of the table that go with the predictions.</summary>
    public IReadOnlyList<TableColumn> Kept { get; init; } = [];
}
