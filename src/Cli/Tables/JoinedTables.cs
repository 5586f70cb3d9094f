using CsvHelper;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>Several files with the same columns, as one table: the rows of one after those of the other.</summary>
internal static class JoinedTables
{
    private const int MostNamed = 3;

    /// <summary>The files that an argument stands for: itself, or what a pattern matches, in the order of their names.</summary>
    /// <param name="path">A file, or a pattern with * and ? in its last part.</param>
    /// <exception cref="TableException">A pattern matches nothing.</exception>
    public static IReadOnlyList<string> Expand(string path)
    {
        if (path.AsSpan().IndexOfAny('*', '?') < 0 || File.Exists(path)) return [path];
        var (folder, pattern) = (Path.GetDirectoryName(path) ?? string.Empty, Path.GetFileName(path));
        string[] files = Directory.Exists(folder.Length == 0 ? "." : folder)
            ? [.. Directory.EnumerateFiles(folder.Length == 0 ? "." : folder, pattern)
                .Select(file => Path.Combine(folder, Path.GetFileName(file))).Order(StringComparer.Ordinal)]
            : [];
        return files.Length > 0
            ? files
            : throw new TableException($"{path}: there is no file that this pattern matches (* and ? stand in the last part only).");
    }

    /// <summary>Opens files as one table, with the columns of the first one in its order.</summary>
    /// <param name="paths">The files, each of them whatever <see cref="CsvSource.OfFile"/> takes.</param>
    /// <exception cref="TableException">One cannot be read, or has other columns than the first one.</exception>
    public static CsvSource Open(IReadOnlyList<string> paths)
    {
        string[] files = [.. paths.SelectMany(Expand)];
        if (files is [var file]) return CsvSource.OfFile(file);
        var first = CsvSource.OfFile(files[0]);
        string[]? header = null;
        char separator;
        using (var reader = CsvTableReader.Open(first, _ => CellReading.None)) (header, separator) = (reader.Header, reader.Separator);
        return CsvSource.OfRows(
            NameOf(files),
            csv =>
            {
                csv.WriteHeader(header);
                for (var i = 0; i < files.Length; i++) Append(csv, i == 0 ? first : CsvSource.OfFile(files[i]), header, files[0]);
            },
            separator);
    }

    /// <summary>What messages call them.</summary>
    private static string NameOf(string[] files) => files.Length <= MostNamed
        ? string.Join(" + ", files)
        : $"{files[0]} + {files.Length - 1} files";

    private static void Append(CsvWriter csv, CsvSource source, string[] header, string first)
    {
        using var reader = CsvTableReader.Open(source, _ => CellReading.None);
        var order = Order(reader.Header, header, source.Name, first);
        while (reader.ReadRecord())
        {
            foreach (var column in order) csv.WriteField(reader.Records.GetSpan(column));
            csv.EndRecord();
        }
    }

    // Where the columns of the first file are in another one.
    private static int[] Order(string[] columns, string[] header, string name, string first)
    {
        var lacking = header.Except(columns).ToArray();
        var more = columns.Except(header).ToArray();
        if (lacking.Length > 0 || more.Length > 0)
            throw new TableException(
                $"{name} has other columns than {first}, so that their rows make no table: "
                + string.Join("; ", new[]
                {
                    lacking.Length > 0 ? $"it lacks {NameList.Of(lacking)}" : null,
                    more.Length > 0 ? $"it has {NameList.Of(more)} besides" : null,
                }.OfType<string>())
                + ".");
        return Array.ConvertAll(header, column => Array.IndexOf(columns, column));
    }
}
