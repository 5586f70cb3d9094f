using Microsoft.ML;
using MlNetBatchNorm.Onnx.Execution;

namespace MlNetBatchNorm.Transforms;

/// <summary>A scorer with the columns it reads and adds: all that the row-wise and the batched way of scoring have in common.</summary>
/// <param name="Scorer">The model.</param>
/// <param name="FeatureColumnName">The column with the features.</param>
/// <param name="Columns">The columns it adds, in order.</param>
internal sealed record RowScoring(Scorer Scorer, string FeatureColumnName, IReadOnlyList<ScoreColumn> Columns)
{
    /// <summary>The input's columns and behind them the added ones.</summary>
    public DataViewSchema OutputSchema(DataViewSchema input)
    {
        RequireFeatures(input);
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(input);
        foreach (var column in Columns) builder.AddColumn(column.Name, column.Type, column.Annotations);
        return builder.ToSchema();
    }

    /// <summary>The feature column of a schema.</summary>
    /// <exception cref="ArgumentException">There is none, or it has another type or size.</exception>
    public DataViewSchema.Column RequireFeatures(DataViewSchema input)
    {
        var column = Transforms.Columns.RequireFeatures(input, FeatureColumnName);
        var size = Transforms.Columns.SizeOf(column);
        if (size != 0 && size != Scorer.RowLength)
            throw new ArgumentException(
                $"The feature column '{FeatureColumnName}' has {size} values, but the network was trained on {Scorer.RowLength}.");
        return column;
    }
}
