using System.Diagnostics;
using System.Globalization;
using MlNetBatchNorm.Cli.Assessment;
using MlNetBatchNorm.Cli.Reporting.Html;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Cli.Timing;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>A training with everything that the tool says about it. Progress goes to stderr, results to stdout.</summary>
internal static class TrainingRun
{
    // What is written, and so can be tried before the work.
    private static readonly string[] Files =
        ["model.zip", "model.onnx", "model.batchnorm.onnx", "metrics.json", "report.html", "pipeline.onnx"];

    /// <summary>Trains, tests, folds and writes.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="options">What to learn, and how.</param>
    /// <param name="folder">The folder for the results.</param>
    /// <param name="assessment">What to find out about the network; null = the defaults.</param>
    /// <param name="tuning">The search for better options before it; null = there is none.</param>
    public static void Execute(
        TableSplit rows,
        TableTrainingOptions options,
        string folder,
        AssessmentOptions? assessment = null,
        TableTuning? tuning = null)
    {
        assessment ??= new AssessmentOptions();
        if (tuning is not null)
        {
            OutputFolder.Require(folder, [.. Files, FilesSection.Trials]);
            Tune(rows, options, folder, assessment, tuning);
            return;
        }

        // Of several ranks, the first one writes.
        if (options.Ranks is { Rank: > 0 })
        {
            Run(rows, options, folder, assessment);
            return;
        }

        OutputFolder.Require(folder, options.Network.Diagnostics is null ? Files : [.. Files, FilesSection.Diagnostics]);
        if (options.Network.Checkpoint is not { } checkpoint)
        {
            Run(rows, options, folder, assessment);
            return;
        }

        var goOn = $"the same command goes on from {checkpoint.Path}.";
        var otherwise = Interruption.GoOn;
        Interruption.GoOn = () => File.Exists(checkpoint.Path) ? goOn : otherwise();
        OutputFolder.RunAlone(folder, () =>
        {
            if (File.Exists(checkpoint.Path)) Console.Error.WriteLine($"going on from {checkpoint.Path}");
            try
            {
                Run(rows, options, folder, assessment);
            }
            catch (Exception exception) when (exception is not InvalidDataException && File.Exists(checkpoint.Path))
            {
                Console.Error.WriteLine($"note: what was trained is kept: {goOn}");
                throw;
            }
        });
    }

    // The state stays until the results are written, so that the same command goes on whenever it was stopped.
    private static void Tune(
        TableSplit rows, TableTrainingOptions options, string folder, AssessmentOptions assessment, TableTuning tuning)
    {
        var state = TableTuning.Checkpoint(folder);
        var goOn = $"the same command goes on from {state.Path}.";
        var otherwise = Interruption.GoOn;
        Interruption.GoOn = () => File.Exists(state.Path) ? goOn : otherwise();
        options = options with
        {
            Tune = (ml, view, network) => tuning.Run(ml, options.Task, view, network, folder),
        };
        OutputFolder.RunAlone(folder, () =>
        {
            if (File.Exists(state.Path)) Console.Error.WriteLine($"going on from {state.Path}");
            Run(rows, options, folder, assessment, tuning);
        });
    }

    // Test rows are looked at for both only now, when nothing is chosen any more.
    private static TunedTable CompareWithDefaults(
        TrainedTable trained, TableSplit rows, TableTrainingOptions options, BatchNormTuning tuning, Progress progress)
    {
        if (tuning.Best == tuning.Defaults) return new TunedTable(tuning, null, []);
        progress.Stage("training with the defaults, to compare with");
        var network = options.Network with
        {
            Progress = null,
            Warning = null,
            Diagnostics = null,

            // It is looked at, not written.
            AllowedMetricLoss = double.PositiveInfinity,
        };
        using var defaults = TableTrainer.Train(
            rows.Training, rows.Test, options with { Tune = null, WholePipeline = false, Network = network });
        var clusters = options.Schema.Group is { } group ? rows.Test.Column(group).Codes : [];
        return new TunedTable(tuning, defaults.TestMetrics, trained.AheadOf(defaults.Tested.Predictions, clusters));
    }

    private static void Run(
        TableSplit rows, TableTrainingOptions options, string folder, AssessmentOptions assessment, TableTuning? tuning = null)
    {
        var watch = Stopwatch.StartNew();
        using var progress = Progress.Begin("preparing");
        options = options with { Validation = rows.Validation, Network = progress.Follow(options.Network) };
        using var trained = TableTrainer.Train(rows.Training, rows.Test, options, schema => ShowColumns(schema, rows, options.Ranks));
        if (options.Ranks is { Rank: > 0 }) return;
        Output.NoteDevice(trained.Network.DeviceReport);
        if (trained.Network.Export.ServedWarning is { } served) Console.Error.WriteLine($"warning: {served}");

        var tuned = tuning is null ? null : CompareWithDefaults(trained, rows, options, tuning.Result!, progress);
        var found = ModelAssessment.Of(trained, rows, options, assessment, work => progress.Stage(work), tuned);
        progress.Stage("timing predictions");
        using var scorer = trained.Network.CreateScorer();
        var singleRow = SingleRowTime.Measure(scorer);
        var speed = trained.Network.Export.Reduced is { } reduced
            ? PrecisionSpeed.Measure(trained.Network.Export.Folded.Proto, reduced.Model.Proto)
            : [];
        var metrics = MetricsDocument.Create(found, rows.Rule, watch.Elapsed, singleRow, speed);
        OutputFolder.WriteAlone(folder, () =>
        {
            var checkpoint = tuned is null ? options.Network.Checkpoint : TableTuning.Checkpoint(folder);
            if (checkpoint is null)
                Interruption.GoOn =
                    () => $"each file in '{folder}' is whole, but some may be an earlier run's. The same command begins anew.";
            Write(found, rows, options, folder, metrics, singleRow, speed, progress);

            // Last, when nothing of what it stands for can be lost any more.
            checkpoint?.Remove();
            Interruption.GoOn = () => $"all results are in '{folder}'.";
        });
    }

    private static void Write(
        ModelAssessment found,
        TableSplit rows,
        TableTrainingOptions options,
        string folder,
        MetricsDocument metrics,
        TimeSpan singleRow,
        IReadOnlyList<PrecisionSpeed> speed,
        Progress progress)
    {
        var trained = found.Trained;
        progress.Stage("writing the models, and reading them back");
        var models = trained.Save(folder);
        trained.RequireSaved(models, rows.Test);
        List<string> files = [.. models, metrics.Write(folder)];
        if (DiagnosticsTable.Write(trained.Network.Model, folder) is { } diagnostics) files.Add(diagnostics);
        if (found.Tuned is { } tuned) files.Add(TrialsTable.Write(tuned, folder));
        if (options.Ranks is null && OutOfFoldTable.Write(trained, rows.Training, folder) is { } outOfFold) files.Add(outOfFold);
        FoldedPipeline? pipeline = null;
        try
        {
            if (options.WholePipeline)
            {
                progress.Stage("writing the pipeline, and comparing it on the test rows");
                (var path, pipeline) = trained.SavePipeline(folder, rows.Test.First());
                files.Add(path);
            }
        }
        finally
        {
            progress.Dispose();

            // What was written stays and is reported, also where the pipeline would not give the same predictions.
            files.Add(HtmlReport.Write(found, Path.GetFileName(rows.Training.FilePath), rows.Rule, singleRow, folder, files));
            ResultLines.Show(
                trained.Network.Model,
                trained.Network.Export,
                trained.TestMetrics,
                trained.Float32TestMetrics,
                singleRow,
                files,
                speed,
                found);
        }

        if (found.Tuned is not null) ResultLines.Show(found.Tuned, trained);
        if (pipeline is not null) ResultLines.Show(pipeline);
        if (trained.BaseRateWarning is { } warning) Console.Error.WriteLine($"warning: {warning}");
    }

    private static void ShowColumns(TableSchema schema, TableSplit rows, Communicator? ranks)
    {
        if (rows.Test.Note is { } note) Console.Error.WriteLine($"note: {note}");
        var validation = rows.Validation is { } held
            ? string.Create(CultureInfo.InvariantCulture, $", {held.RowCount:N0} to validate by")
            : string.Empty;
        var all = rows.Training.RowCount + (rows.Validation?.RowCount ?? 0) + rows.Test.RowCount;
        if (ranks is not null) Console.Error.WriteLine($"{ranks.Size} processes train together; this is the share of the first:");
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{all:N0} rows and {rows.Training.Columns.Count} columns read: {rows.Training.RowCount:N0} rows to learn from{validation}, "
                + $"{rows.Test.RowCount:N0} to test on"));
        Console.Error.WriteLine($"test rows: {rows.Rule}");
        Console.Error.WriteLine($"predicting {schema.Label.Column}: {Describe(schema)}");
        Console.Error.WriteLine($"{schema.Features.FeatureCount} features from {schema.Features.Sources.Count()} columns");
        ShowNotes(schema.Reports);

        NoteUntestedClasses(schema, rows.Test);
        WarnOfUnknownCategories(rows.Test.UnknownValues, "test on");
        if (rows.Validation is { } validated) WarnOfUnknownCategories(schema.Features.Bind(validated).UnknownValues, "validate by");
    }

    // What many columns have in common is said once, with the names of some; report.html has that of more.
    private static void ShowNotes(IReadOnlyList<ColumnReport> reports)
    {
        const int Most = 20, Shown = 3;
        var notes = reports.SelectMany(NotesOf).ToList();
        var alike = notes.ToLookup(note => note.Kind);
        foreach (var note in notes)
        {
            if (alike[note.Kind].Count() is var count && (count <= Most || alike[note.Kind].Take(Shown).Contains(note)))
                Console.Error.WriteLine(note.Text);
        }

        foreach (var kind in alike.Where(kind => kind.Count() > Most))
        {
            var names = NameList.Of(kind.Skip(Shown).Select(note => note.Column), 5);
            Console.Error.WriteLine($"{kind.Key} {kind.Count() - Shown} more columns: {names}");
        }
    }

    private static IEnumerable<(string Kind, string Column, string Text)> NotesOf(ColumnReport report)
    {
        var name = report.Name;
        if (report.Lost is { } lost) yield return ("note: digits are lost in", name, $"note: column {name}: {lost}");
        if (report.Kind == ColumnKind.Dropped)
            yield return ("note: left out are", name, $"note: column {name} is left out: {report.Detail}");
        else if (report.Kind == ColumnKind.Text)
        {
            yield return (
                "note: free text are", name, $"note: column {name} is free text: {report.Detail} (--ignore {name} leaves it out)");
        }
        else if (report.MissingRows > 0)
        {
            yield return (
                "note: values are missing in", name, $"note: column {name} has {report.MissingRows} missing values: {report.Detail}");
        }

        if (report.Problem is { } problem) yield return ("warning: such problems have", name, $"warning: column {name} {problem}");
        if (report.Reading is { } reading) yield return ("note: numbers are read likewise in", name, $"note: column {name} {reading}");
    }

    private static void NoteUntestedClasses(TableSchema schema, TestTable test)
    {
        var untested = schema.Label.Classes.Where((_, index) => !test.Classes.Contains(index)).ToList();
        if (untested.Count > 0)
            Console.Error.WriteLine(
                $"note: no test row has the class{(untested.Count == 1 ? string.Empty : "es")} "
                + $"{NameList.Of(untested.Select(NameList.Quote), 20)}: the figures say nothing about it");
    }

    // They count as none of the known ones, so the figures say little about them.
    private static void WarnOfUnknownCategories(IReadOnlyCollection<UnknownValues> unknown, string use)
    {
        if (unknown.Count == 0) return;
        var columns = unknown.Select(values => $"{values.Column} {NameList.Of(values.Examples.Select(NameList.Quote))} "
            + $"({(values.Rows == 1 ? "1 row" : $"{values.Rows} rows")})");
        Console.Error.WriteLine(
            $"warning: categories of rows to {use} that no row to learn from has, so that they count as none: {NameList.Of(columns, 10)}");
    }

    private static string Describe(TableSchema schema) => schema.Label.PositiveClass is { } positive
        ? $"positive is {positive}, negative is {schema.Label.Classes[0]}"
        : schema.Reports.First(report => report.Kind == ColumnKind.Label).Detail;
}
