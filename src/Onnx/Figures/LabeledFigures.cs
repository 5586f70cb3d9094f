namespace MlNetBatchNorm.Onnx.Figures;

/// <summary>How good two models are on the same rows with labels.</summary>
/// <param name="Output">The output that was judged.</param>
/// <param name="Rows">How many rows there were.</param>
/// <param name="Before">
/// The figures of the model as it was: <c>auc</c> and <c>accuracy</c> for two classes, <c>accuracy</c> and <c>macroAccuracy</c> for more,
/// <c>rmse</c>, <c>mae</c> and <c>rSquared</c> for numbers.
/// </param>
/// <param name="After">The same figures of the changed model.</param>
internal sealed record LabeledFigures(
    string Output, int Rows, IReadOnlyDictionary<string, double> Before, IReadOnlyDictionary<string, double> After);
