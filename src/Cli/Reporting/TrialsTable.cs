using System.Globalization;
using System.Text.Json.Nodes;
using CsvHelper;
using MlNetBatchNorm.Cli.Reporting.Html;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Files;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>
/// The settings that were tried, as <c>trials.csv</c>, in <c>metrics.json</c> and, one by one, as events: with the same names in all.
/// </summary>
internal static class TrialsTable
{
    /// <summary>Writes the file: a line for each trial, in the order in which they ended.</summary>
    /// <param name="tuned">The trials.</param>
    /// <param name="folder">The folder, which is there.</param>
    /// <returns>The path of the file.</returns>
    public static string Write(TunedTable tuned, string folder)
    {
        var path = Path.Combine(folder, FilesSection.Trials);
        var trials = tuned.Tuning.Trials;
        AtomicFile.Write(path, stream =>
        {
            using var csv = CsvWriter.Create(stream, new CsvWriterOptions(), leaveOpen: true);
            string[] settings = [.. trials[0].Settings.Keys];
            string[] head = ["trial", "rung", "epochs", .. settings, "metric", "score", "deviation"];
            foreach (var name in head.Concat(trials[0].Scores.Select((_, fold) => $"fold{fold + 1}")).Append("seconds"))
                csv.WriteField(name);
            csv.EndRecord();
            foreach (var trial in trials)
            {
                foreach (var count in new[] { trial.Number, trial.Rung, trial.Epochs }) csv.WriteField(count);
                foreach (var name in settings) csv.WriteField(trial.Settings[name]);
                csv.WriteField(trial.Metric.Key);
                foreach (var value in trial.Scores.Prepend(trial.Deviation).Prepend(trial.Score).Append(trial.Time.TotalSeconds))
                    csv.WriteField(double.IsFinite(value) ? value.ToString("G9", CultureInfo.InvariantCulture) : string.Empty);
                csv.EndRecord();
            }
        });
        return path;
    }

    /// <summary>A trial; a score that is not finite, of a training that diverged, is null.</summary>
    public static JsonObject ToJson(BatchNormTrial trial) => new()
    {
        ["trial"] = trial.Number,
        ["rung"] = trial.Rung,
        ["epochs"] = trial.Epochs,
        ["settings"] = new JsonObject(trial.Settings.Select(setting => KeyValuePair.Create(setting.Key, (JsonNode?)setting.Value))),
        ["metric"] = trial.Metric.Key,
        ["score"] = Finite(trial.Score),
        ["deviation"] = Finite(trial.Deviation),
        ["folds"] = new JsonArray([.. trial.Scores.Select(score => (JsonNode?)Finite(score))]),
        ["seconds"] = Math.Round(trial.Time.TotalSeconds, 3),
    };

    /// <summary>All of it for <c>metrics.json</c>.</summary>
    public static JsonObject ToJson(TunedTable tuned) => new()
    {
        ["best"] = tuned.Tuning.Best.Number,
        ["gain"] = Finite(tuned.Tuning.Gain),
        ["gainError"] = Finite(tuned.Tuning.GainError),
        ["defaultsTest"] = tuned.DefaultsMetrics is { } before ? MetricsDocument.Figures(before) : null,
        ["testAhead"] = new JsonObject(tuned.TestAhead.Select(figure => KeyValuePair.Create(
            figure.Metric.Key,
            (JsonNode?)new JsonArray(Finite(figure.Ahead.Value), Finite(figure.Ahead.Low), Finite(figure.Ahead.High))))),
        ["trials"] = new JsonArray([.. tuned.Tuning.Trials.Select(ToJson)]),
    };

    private static double? Finite(double value) => double.IsFinite(value) ? value : null;
}
