using System.Globalization;

namespace MlNetBatchNorm.Onnx.Figures;

/// <summary>How much worse a changed model is, by the figures of both on the same rows.</summary>
internal static class FigureLoss
{
    /// <summary>The loss that is allowed when none is said: a hundredth.</summary>
    public const double Default = 0.01;

    /// <summary>
    /// How much worse each figure is: what a share or an area (<c>accuracy</c>, <c>macroAccuracy</c>, <c>auc</c>, <c>rSquared</c>) has lost, and by
    /// which part of itself an error (<c>logLoss</c>, <c>rmse</c>, <c>mae</c>) has grown. Negative where it is better.
    /// </summary>
    /// <param name="before">The figures of the model as it was, by name.</param>
    /// <param name="after">The same figures of the changed one.</param>
    public static IReadOnlyDictionary<string, double> Of(IReadOnlyDictionary<string, double> before, IReadOnlyDictionary<string, double> after)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        return before.ToDictionary(
            figure => figure.Key,
            figure => IsError(figure.Key) ? Growth(figure.Value, after[figure.Key]) : figure.Value - after[figure.Key],
            StringComparer.Ordinal);
    }

    /// <summary>
    /// What has become too bad, as a clause with the figure and both of its values; null when nothing has. Accuracy, macro-accuracy, AUC and RMSE
    /// count; a figure that was not defined before (an AUC with one class) says nothing.
    /// </summary>
    /// <param name="before">The figures of the model as it was, by name.</param>
    /// <param name="after">The same figures of the changed one.</param>
    /// <param name="allowed">The largest loss, as <see cref="Of"/> gives it.</param>
    public static string? WhyTooLarge(IReadOnlyDictionary<string, double> before, IReadOnlyDictionary<string, double> after, double allowed)
    {
        foreach (var (name, loss) in Of(before, after))
        {
            if (name is not ("accuracy" or "macroAccuracy" or "auc" or "rmse") || double.IsNaN(before[name]) || loss <= allowed) continue;
            return string.Create(
                CultureInfo.InvariantCulture,
                $"{name} goes from {before[name]:G6} to {after[name]:G6}: a loss of {loss:G3}{(IsError(name) ? " of itself" : string.Empty)}, more than the {allowed:G3} allowed");
        }

        return null;
    }

    private static bool IsError(string figure) => figure is "logLoss" or "rmse" or "mae";

    private static double Growth(double before, double after) => after == before ? 0 : (after / before) - 1;
}
