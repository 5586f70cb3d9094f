using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using MlNetBatchNorm.Cli.Tables;
using MlNetBatchNorm.Onnx.Files;

namespace MlNetBatchNorm.Cli.Reporting;

/// <summary>
/// Predictions for tables of any size as files of so many rows each, in the order of the rows: by one process, or by several, each of which
/// takes every n-th part. A part appears when it is whole, and is not scored again when the same command is called once more, by however
/// many processes.
/// </summary>
internal static class PredictionParts
{
    private const string PlanName = "parts.json";
    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>Whether a path of <c>--out</c> is a folder for parts, and no file.</summary>
    public static bool IsFolder(string path) => Path.EndsInDirectorySeparator(path);

    /// <summary>Scores the rows of files that are not scored yet.</summary>
    /// <param name="scorer">The model.</param>
    /// <param name="modelPath">Its file: parts of another one are not mixed with its own.</param>
    /// <param name="files">The tables.</param>
    /// <param name="folder">Where the parts go; made if it is not there.</param>
    /// <param name="rowsOfPart">The rows of a part.</param>
    /// <param name="ranks">The processes that share the parts; null = this one alone.</param>
    /// <param name="kept">Columns of the tables that stand in front of the predictions.</param>
    /// <returns>The rows, the parts, and how many of these were there already.</returns>
    /// <exception cref="TableException">A table cannot be read in parts, or does not go with the model.</exception>
    /// <exception cref="IOException">The folder holds parts of something else.</exception>
    public static (long Rows, int Parts, int Before) Write(
        TableScorer scorer,
        string modelPath,
        IReadOnlyList<string> files,
        string folder,
        long rowsOfPart,
        Communicator? ranks,
        IReadOnlyList<string> kept)
    {
        byte[] json = [];
        Do(() =>
        {
            if (ranks is { Rank: > 0 }) return;
            json = JsonSerializer.SerializeToUtf8Bytes(Agree(modelPath, files, folder, rowsOfPart, kept));
        });
        var plan = JsonSerializer.Deserialize<TableMarks[]>(ranks?.AllGather(json)[0] ?? json)!;
        var (number, before) = (0, 0);
        Do(() =>
        {
            for (var file = 0; file < files.Count; file++)
            {
                var source = CsvSource.OfFile(files[file]);
                var count = plan[file].Marks.Count;
                for (var part = 0; part < count; part++, number++)
                {
                    if (number % (ranks?.Size ?? 1) != (ranks?.Rank ?? 0)) continue;
                    var path = Path.Combine(folder, NameOf(files[file], part, count));
                    if (File.Exists(path))
                    {
                        before++;
                        continue;
                    }

                    using var reader = scorer.Read(plan[file].Part(source, part, part + 1), kept);
                    PredictionTable.Write(path, scorer.Score(reader, kept));
                }
            }
        });
        return (plan.Sum(marks => marks.Rows), number, (int)(ranks?.Numbers(before).Sum() ?? before));

        void Do(Action act)
        {
            if (ranks is null) act();
            else ranks.Together(act);
        }
    }

    // Writes down what the parts are of, or finds it written down.
    private static TableMarks[] Agree(
        string modelPath, IReadOnlyList<string> files, string folder, long rowsOfPart, IReadOnlyList<string> kept)
    {
        if (files.GroupBy(Path.GetFileNameWithoutExtension).FirstOrDefault(alike => alike.Count() > 1) is { } same)
            throw new ArgumentException(
                $"Two files are called '{same.Key}', and so would be their parts; rename one, or score them apart.");
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, PlanName);
        AtomicFile.RequireWritable(path);
        TableMarks[] marks = [.. files.Select(file => TableMarks.Find(CsvSource.OfFile(file), rowsOfPart))];
        var plan = new Plan(
            Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(modelPath))),
            rowsOfPart,
            kept,
            [.. files.Zip(marks, (file, found) => new PlannedFile(
                Path.GetFileName(file), found.Length, File.GetLastWriteTimeUtc(file), found.Rows, found.Marks.Count))]);
        var text = JsonSerializer.Serialize(plan, Format) + "\n";
        if (File.Exists(path) && File.ReadAllText(path) != text)
            throw new IOException(
                $"'{folder}' holds parts of another model, of other rows, or of another size ('{PlanName}' says of which); give another "
                + "folder, or remove this one to begin anew.");
        AtomicFile.WriteText(path, text);
        return marks;
    }

    private static string NameOf(string file, int part, int count) => string.Create(
        CultureInfo.InvariantCulture, $"{Path.GetFileNameWithoutExtension(file)}.part-{part + 1:00000}-of-{count:00000}.csv");

    private sealed record Plan(string ModelSha256, long RowsPerPart, IReadOnlyList<string> Kept, IReadOnlyList<PlannedFile> Files);

    private sealed record PlannedFile(string Name, long Bytes, DateTime Modified, long Rows, int Parts);
}
