using System.CommandLine;
using System.Globalization;
using MlNetBatchNorm.Cli.Reporting;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx;

namespace MlNetBatchNorm.Cli.Commands;

/// <summary><c>mlnetbn score</c>: predictions for the rows of a CSV file.</summary>
internal static class ScoreCommand
{
    public static Command Create()
    {
        var model = new Argument<string>("MODEL") { Description = "model.onnx, model.zip or pipeline.onnx, as 'train' writes them" };
        var data = new TableOptions("the rows to score; columns that the model does not know are passed over");
        var output = new Option<string>("--out")
        {
            Description = "the file for the predictions, a line for each row (- is stdout): CSV, JSON lines if it ends in .jsonl, or "
                + "Parquet if in .parquet; a folder, as PARTS/, for CSV files of --part-rows rows each, which several processes (mpirun) "
                + "may share, and which are not scored again",
            Required = true,
            HelpName = "FILE",
        };
        var size = new Option<int>("--part-rows")
        {
            Description = "in a folder: the rows of each file",
            HelpName = "N",
            DefaultValueFactory = _ => 1_000_000,
        };
        size.RequireRange(1, 1 << 30);
        var batch = new Option<int?>("--batch") { Description = "rows that go through the model at once [default: what fits the cache]" };
        batch.RequireRange(1, 1 << 20);
        var keep = new Option<string[]?>("--keep")
        {
            Description = "columns of DATA to write in front of the predictions, with commas between them, as id,name",
            HelpName = "COLUMNS",
            CustomParser = result => result.Tokens.SelectMany(token => token.Value.Split(',', StringSplitOptions.TrimEntries)).ToArray(),
        };
        var device = CommonOptions.Device();
        var command = new Command("score", "Score the rows of a table with a trained model.")
        {
            model, data.Files, output, size, keep, batch, device,
        };
        foreach (var option in data.All) command.Options.Add(option);
        command.Validators.Add(data.Validate);
        command.SetAction(arguments =>
        {
            var path = arguments.GetRequiredValue(output);
            var ranks = Ranks.Meet();
            var inParts = ranks is not null || PredictionParts.IsFolder(path);
            string[] files = inParts ? [.. data.Paths(arguments).SelectMany(JoinedTables.Expand)] : data.Paths(arguments);
            if (inParts && (path == Output.Standard || File.Exists(path)))
                throw new ArgumentException(
                    $"Several processes write parts, for which --out names a folder (as PARTS/), not {path}.");
            if (inParts && files.Length == 0)
                throw new ArgumentException("Parts are of files; with --sql give --out a file, and use one process.");
            if (!inParts) Output.Require(path);
            Output.RequireMemory();
            var settings = new OnnxScorerOptions { BatchSize = arguments.GetValue(batch), Device = arguments.GetValue(device)! };
            using var scorer = TableScorer.Open(arguments.GetRequiredValue(model), settings);
            string[] kept = [.. (arguments.GetValue(keep) ?? []).Distinct()];
            if (inParts)
            {
                var (count, parts, before) = PredictionParts.Write(
                    scorer, arguments.GetRequiredValue(model), files, path, arguments.GetValue(size), ranks, kept);
                Interruption.GoOn = () => $"all parts are in '{path}'.";
                NoteUnknown(scorer);
                Console.Error.WriteLine(
                    string.Create(CultureInfo.InvariantCulture, $"{count:N0} rows scored, in {parts:N0} parts in {path}")
                    + (before > 0 ? string.Create(CultureInfo.InvariantCulture, $", {before:N0} of which were there") : string.Empty));
                ranks?.Dispose();
                return;
            }

            var source = data.Open(arguments);
            using var reader = Open(scorer, source, kept);
            var rows = PredictionTable.Write(path, Score(scorer, reader, source, kept));
            if (reader.Note is { } note) Console.Error.WriteLine($"note: {note}");
            NoteUnknown(scorer);
            Output.NoteDevice(scorer.Device!);
            Console.Error.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{rows:N0} rows scored, written to {(path == Output.Standard ? "stdout" : path)}"));
        });
        return command;
    }

    private static void NoteUnknown(TableScorer scorer)
    {
        foreach (var unknown in scorer.UnknownValues)
            Console.Error.WriteLine($"note: {unknown}; they count as none of the known ones.");
    }

    // It is looked at once before it is gone through.
    private static CsvTableReader Open(TableScorer scorer, CsvSource source, string[] kept)
    {
        using var progress = Progress.Begin(
            $"looking through {Path.GetFileName(source.Name)}", Progress.Bytes, source.Length, () => source.Position);
        return scorer.Read(source, kept);
    }

    private static IEnumerable<TablePrediction> Score(
        TableScorer scorer, CsvTableReader reader, CsvSource source, string[] kept)
    {
        using var progress = Progress.Begin("scoring", "rows", share: () => source.Position / (double)Math.Max(1, source.Length));
        foreach (var prediction in scorer.Score(reader, kept))
        {
            progress.Advance(prediction.RowCount);
            yield return prediction;
        }
    }
}
