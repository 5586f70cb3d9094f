using System.Globalization;
using System.Xml.Linq;
using MlNetBatchNorm.Cli.Assessment;

namespace MlNetBatchNorm.Cli.Reporting.Html;

/// <summary>How the settings were found: what that brought, and every trial.</summary>
internal static class TuningSection
{
    public static IEnumerable<XElement> Create(ModelAssessment found)
    {
        if (found.Tuned is not { } tuned) yield break;
        var tuning = tuned.Tuning;
        yield return Html.H2("What tuning brought");
        yield return Html.P(tuned.OnFolds());
        if (tuned.OnTestRows(found.Trained) is { } tested) yield return Html.P(tested);
        yield return Html.P(
            $"{tuned.Settings} settings were tried, the best third of them in more epochs, and so on; the defaults in all of theirs. Each "
            + $"figure is the mean over {tuning.Defaults.Scores.Count} folds, with the standard deviation over them, of networks that "
            + "learned from the other rows. Test rows had no part in it.");
        string[] settings = [.. tuning.Defaults.Settings.Keys];
        yield return Html.Table(
            ["trial", tuning.Defaults.Metric.Name, "±", "epochs", "seconds", .. settings],
            tuning.Trials.OrderByDescending(trial => trial.Epochs).ThenBy(trial => trial.Score).Select(trial => new object[]
            {
                trial.Number == tuning.Best.Number && trial.Epochs == tuning.Best.Epochs
                    ? new XElement("strong", Name(trial) + ", taken") : Name(trial),
                Html.Number(trial.Metric.Format(trial.Score)),
                Html.Number(trial.Metric.Format(trial.Deviation)),
                Html.Number(Html.Count(trial.Epochs)),
                Html.Number(trial.Time.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture)),
            }.Concat(settings.Select(name => Html.Number(trial.Settings[name])))));
    }

    private static string Name(BatchNormTrial trial) => trial.Number == 1 ? "1, the defaults" : $"{trial.Number}";
}
