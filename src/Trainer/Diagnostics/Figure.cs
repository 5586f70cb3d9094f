using System.Globalization;

namespace MlNetBatchNorm.Trainer;

/// <summary>How the figures of a network (<see cref="Evaluation.Metrics"/>) are shown to people.</summary>
public static class Figure
{
    /// <summary>The name of a figure: AUC, accuracy, RMSE, R².</summary>
    /// <param name="key">Its key in <see cref="Evaluation.Metrics"/>; one that is not known is its own name.</param>
    public static string Name(string key) => key switch
    {
        "auc" => "AUC",
        "macroAccuracy" => "macro-accuracy",
        "logLoss" => "log-loss",
        "rmse" => "RMSE",
        "mae" => "MAE",
        "rSquared" => "R²",
        _ => key,
    };

    /// <summary>
    /// The value of a figure, with four decimals; those in the unit of the label, which can be dollars or micrograms, with six digits.
    /// </summary>
    /// <param name="key">The figure's key in <see cref="Evaluation.Metrics"/>.</param>
    /// <param name="value">Its value.</param>
    public static string Value(string key, double value) => key is "rmse" or "mae"
        ? value.ToString("G6", CultureInfo.InvariantCulture)
        : value.ToString("0.0000", CultureInfo.InvariantCulture);
}
