using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using CsvHelper;
using MlNetBatchNorm.Trainer.Training;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// A table of which each rank reads its share of the rows, by a range of the file. Rank 0 goes through the file once before and tells the
/// others where the ranges begin, and gives them rows by which all work out the same columns: evenly drawn ones, and those in which a text
/// comes up for the first time, so that every category and class is known to all.
/// </summary>
internal static class RankedTable
{
    // A table of no more rows is worked out by all of them, as by one process.
    private const int DrawnRows = 1 << 17;
    private const int TextsOfColumn = 1 << 16;

    /// <summary>Reads this rank's share.</summary>
    /// <param name="path">The file, which every rank can read.</param>
    /// <param name="ranks">The ranks.</param>
    /// <param name="texts">Columns whose texts matter although they may look like numbers.</param>
    /// <param name="split">Which rows are tested on; groups, times and the order of the file are no choice here.</param>
    /// <param name="testPath">The table to test on; null = a share of the rows.</param>
    /// <returns>This rank's rows, and the rows to learn from that say what the columns are, the same on all ranks.</returns>
    /// <exception cref="TableException">It is no table, or has fewer rows than there are ranks.</exception>
    /// <exception cref="NotSupportedException">Rows are to be divided by group, time or their order.</exception>
    public static (TableSplit Rows, CsvTable Known) Read(
        string path, Communicator ranks, IReadOnlyCollection<string> texts, SplitOptions split, string? testPath)
    {
        if (split is not { Group: null, Time: null, FileOrder: false })
            throw new NotSupportedException(
                "Several processes draw test rows at random, each from its share of the table; divide the table by group, time or order "
                + "beforehand and give the test rows with --test, or train with one process.");
        var held = testPath is null ? new HeldRows(split.TestShare, split.Seed) : null;
        var source = CsvSource.OfFile(path);
        var known = new KnownRows(texts, held);
        var (table, marks, first) = ReadShare(source, ranks, texts, known.See);
        var sample = ranks.AllGather(ranks.Rank == 0 ? known.ToFile(marks.ReadHeader(source)) : [])[0];
        var schema = CsvTableLoader.Read(CsvSource.OfText(path, sample), texts);
        if (held is null)
        {
            var (test, _, _) = ReadShare(CsvSource.OfFile(testPath!), ranks, texts, null);
            return (new TableSplit(table, null, test, $"those of {testPath}"), schema);
        }

        var rows = Enumerable.Range(0, table.RowCount).ToLookup(row => held.Has(first + row));
        ranks.Together(() =>
        {
            if (!rows[true].Any() || !rows[false].Any())
                throw new TableException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{path}: of the {table.RowCount} rows of a rank {rows[true].Count()} are to test on; give fewer processes, or test "
                        + $"rows with --test."));
        });
        return (
            new TableSplit(
                table.Select([.. rows[false]]),
                null,
                table.Select([.. rows[true]]),
                $"drawn at random (--seed {split.Seed}), by each rank"),
            schema);
    }

    private static (CsvTable Table, TableMarks Marks, long First) ReadShare(
        CsvSource source, Communicator ranks, IReadOnlyCollection<string> texts, Action<CsvTableReader, long>? visit)
    {
        byte[] json = [];
        ranks.Together(() =>
        {
            if (ranks.Rank == 0) json = TableMarks.Find(source, visit: visit).ToJson();
        });
        var marks = TableMarks.FromJson(ranks.AllGather(json)[0]);
        CsvTable? table = null;
        var (from, to) = marks.Share(ranks.Rank, ranks.Size);
        ranks.Together(() =>
        {
            if (source.Length != marks.Length)
                throw new TableException(
                    $"{source.Name}: rank 0 found {marks.Length} bytes in it, and here there are {source.Length}; every rank needs the "
                    + "same file.");
            if (from == to) throw new TableException($"{source.Name}: {marks.Rows} rows are too few for {ranks.Size} ranks.");
            table = CsvTableLoader.Read(marks.Part(source, from, to), texts);
        });
        return (table!, marks, marks.Marks[from].Row);
    }

    /// <summary>The rows that all ranks get to know.</summary>
    /// <param name="texts">Columns in which numbers are texts, too.</param>
    /// <param name="held">The rows that are tested on, which nobody may look at; null = they are elsewhere.</param>
    private sealed class KnownRows(IReadOnlyCollection<string> texts, HeldRows? held)
    {
        private readonly List<(long Row, byte[] Record)> _fresh = [];
        private readonly List<(long Row, byte[] Record)> _drawn = [];
        private (HashSet<ulong> Seen, bool IsText)[] _columns = [];
        private long _every = 1;

        /// <summary>Looks at a row on the way.</summary>
        public void See(CsvTableReader reader, long row)
        {
            if (held?.Has(row) == true) return;
            if (_columns.Length == 0) _columns = [.. reader.Header.Select(name => (new HashSet<ulong>(), texts.Contains(name)))];
            var record = reader.Records;
            if (IsFresh(record))
            {
                _fresh.Add((row, record.RawRecord.ToArray()));
                return;
            }

            if (row % _every != 0) return;
            _drawn.Add((row, record.RawRecord.ToArray()));
            if (_drawn.Count <= DrawnRows) return;
            _every *= 2;
            _drawn.RemoveAll(drawn => drawn.Row % _every != 0);
        }

        /// <summary>The rows as a file of their own.</summary>
        /// <param name="header">What stands in front of them.</param>
        public byte[] ToFile(byte[] header)
        {
            var file = new ArrayBufferWriter<byte>();
            file.Write(header);
            foreach (var (_, record) in _fresh.Concat(_drawn).OrderBy(row => row.Row))
            {
                file.Write(record);
                file.Write("\n"u8);
            }

            return file.WrittenSpan.ToArray();
        }

        // Whether a text comes up that no row had before.
        private bool IsFresh(CsvReader record)
        {
            var isFresh = false;
            for (var i = 0; i < Math.Min(_columns.Length, record.FieldCount); i++)
            {
                var (seen, isText) = _columns[i];
                if (seen.Count >= TextsOfColumn) continue;
                var cell = record.GetSpan(i);
                if (!isText && Utf8Parser.TryParse(cell, out double _, out var read) && read == cell.Length) continue;
                isFresh |= seen.Add(Hash(cell));
            }

            return isFresh;
        }

        // FNV-1a.
        private static ulong Hash(ReadOnlySpan<byte> text)
        {
            var hash = 0xcbf29ce484222325;
            foreach (var one in text) hash = (hash ^ one) * 0x100000001b3;
            return hash;
        }
    }
}
