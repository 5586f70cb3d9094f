using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using MlNetBatchNorm.Onnx.Files;

namespace MlNetBatchNorm.Trainer.Data;

/// <summary>
/// Rows that are more than their budget of memory, in a file in the folder for temporary files. It is read where it is asked for, and not
/// mapped into memory: what the system keeps of it is the system's to give back. Nothing of it is left behind, even by a process that is
/// killed: the file has no name any more (on Windows: is removed with its handle).
/// </summary>
internal sealed class RowFile : IDisposable
{
    /// <summary>What to do about rows that are too many.</summary>
    public const string Fewer =
        "Take fewer rows, or fewer features: leave out columns with many categories, hash to fewer bits, or keep fewer n-grams.";

    // Of the budget: what is written or read at once.
    private const int PartsOfBudget = 16;
    private const int Most = 1 << 22;

    private readonly SafeFileHandle _handle;
    private float[] _pending;
    private int _pendingRows;

    private RowFile(SafeFileHandle handle, int width, long budget)
    {
        (_handle, Width, Budget) = (handle, width, budget);
        RowsAtOnce = (int)Math.Max(1, Math.Min(Most, budget / PartsOfBudget) / (sizeof(float) * (long)width));
        _pending = new float[RowsAtOnce * width];
    }

    /// <summary>The budget of who does not say: half of the memory that is free.</summary>
    public static long DefaultBudget
    {
        get
        {
            var memory = GC.GetGCMemoryInfo();
            if (memory.Index == 0)
            {
                // Nobody has looked yet.
                GC.Collect(0);
                memory = GC.GetGCMemoryInfo();
            }

            return Math.Max(Most, (memory.TotalAvailableMemoryBytes - memory.MemoryLoadBytes) / 2);
        }
    }

    /// <summary>
    /// Gives memory back that is not used any more. Nobody else would: what rows need that are in a file, a number or two for each, is
    /// large and allocated once.
    /// </summary>
    public static void GiveMemoryBack() => GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);

    /// <summary>The values of a row.</summary>
    public int Width { get; }

    /// <summary>The rows.</summary>
    public int Count { get; private set; }

    /// <summary>How much memory may be taken to work with them, in bytes.</summary>
    public long Budget { get; }

    /// <summary>How many rows are best read at once.</summary>
    public int RowsAtOnce { get; }

    /// <summary>The size in bytes.</summary>
    public long Length => BytesOf(Count);

    /// <summary>Makes an empty one.</summary>
    /// <param name="width">The values of a row.</param>
    /// <param name="budget">How much memory may be taken to work with the rows, in bytes.</param>
    /// <param name="expectedRows">How many rows will come, as far as is known.</param>
    /// <exception cref="InsufficientMemoryException">The disk has no room for them.</exception>
    public static RowFile Create(int width, long budget, long expectedRows)
    {
        var folder = Path.GetTempPath();
        var (needed, free) = (sizeof(float) * (double)width * expectedRows, new DriveInfo(Path.GetFullPath(folder)).AvailableFreeSpace);
        if (needed > free)
            throw new InsufficientMemoryException(string.Create(
                CultureInfo.InvariantCulture,
                $"{expectedRows:N0} rows × {width:N0} features need {needed / 1e9:0.0} GB, more than the {budget / 1e9:0.0} GB of memory "
                + $"for rows, and in '{folder}', the folder for temporary files, there are {free / 1e9:0.0} GB. {Fewer}"));
        Leftovers.ClearOnce(folder);
        var path = Leftovers.NameIn(folder);
        var handle = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, FileOptions.DeleteOnClose);
        if (!OperatingSystem.IsWindows()) File.Delete(path);
        return new RowFile(handle, width, budget);
    }

    /// <summary>Adds rows, row-major.</summary>
    public void Append(ReadOnlySpan<float> rows)
    {
        while (!rows.IsEmpty)
        {
            var part = rows[..(Math.Min(RowsAtOnce - _pendingRows, rows.Length / Width) * Width)];
            part.CopyTo(_pending.AsSpan(_pendingRows * Width));
            _pendingRows += part.Length / Width;
            rows = rows[part.Length..];
            if (_pendingRows == RowsAtOnce) Flush();
        }
    }

    /// <summary>Ends the adding.</summary>
    /// <returns>This file.</returns>
    public RowFile Close()
    {
        Flush();
        _pending = [];
        return this;
    }

    /// <summary>Reads rows.</summary>
    /// <param name="first">The first of them.</param>
    /// <param name="target">Where to; room for whole rows, as many as are to be read.</param>
    public void Read(int first, Span<float> target) => ReadAt(BytesOf(first), target);

    /// <summary>Reads values from a place in bytes.</summary>
    public void ReadAt(long offset, Span<float> target)
    {
        for (var bytes = MemoryMarshal.AsBytes(target); !bytes.IsEmpty;)
        {
            var count = RandomAccess.Read(_handle, bytes, offset);
            if (count == 0) throw new EndOfStreamException("The temporary file of rows is shorter than what was written to it.");
            bytes = bytes[count..];
            offset += count;
        }
    }

    /// <summary>Writes values to a place in bytes.</summary>
    public void WriteAt(long offset, ReadOnlySpan<float> values) => RandomAccess.Write(_handle, MemoryMarshal.AsBytes(values), offset);

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    private void Flush()
    {
        WriteAt(Length, _pending.AsSpan(0, _pendingRows * Width));
        Count += _pendingRows;
        _pendingRows = 0;
    }

    private long BytesOf(long rows) => rows * Width * sizeof(float);
}

/// <summary>
/// Deals rows out in an order that changes. Rows in memory are read where they are. Those of a file are sorted first, in one pass from its
/// beginning to its end, into windows of the order that fit into the budget; then one window after the other is read, the next one while
/// rows of this one are dealt out. So the order is the same as in memory, whatever the disk, which only reads and writes long stretches.
/// </summary>
internal sealed class RowDealer(FeatureRows rows) : IDisposable
{
    // Each row with its place in its window in front.
    private const int Places = 1;

    // Of the budget, for each of two windows and for what is sorted into them, beside what others work with.
    private const int Share = 8;

    // How often the order is gone through at most, however small the budget.
    private const int MostLooks = 16;

    private int[] _order = [];
    private int _next;
    private RowFile? _sorted;
    private float[][] _windows = [];
    private float[] _parts = [];
    private int[] _placeOf = [];
    private int _rowsOfWindow;
    private int _rowsOfPart;
    private bool _isSorted;
    private Task? _ahead;

    /// <summary>Begins anew.</summary>
    /// <param name="order">The rows in the order in which they are to be dealt out; it does not change before the next call.</param>
    public void Restart(int[] order)
    {
        WaitForWindow();
        (_order, _next, _isSorted) = (order, 0, false);
    }

    /// <summary>The next row.</summary>
    /// <param name="scratch">Room for a row.</param>
    public ReadOnlySpan<float> Next(Span<float> scratch)
    {
        if (rows.File is null)
        {
            if (_next + (2 * Prefetch.Rows) < _order.Length) rows.ExpectPlace(_order[_next + (2 * Prefetch.Rows)]);
            if (_next + Prefetch.Rows < _order.Length) rows.Expect(_order[_next + Prefetch.Rows]);
            return rows.Read(_order[_next++], scratch);
        }

        var row = scratch[..rows.Width];
        NextGiven().CopyTo(row);
        rows.Finish(row);
        return row;
    }

    /// <summary>The next row of a file, as it lies there.</summary>
    public ReadOnlySpan<float> NextGiven()
    {
        if (!_isSorted) Sort();
        var place = _next % _rowsOfWindow;
        var window = _next / _rowsOfWindow;
        if (place == 0)
        {
            WaitForWindow();
            if ((window + 1) * (long)_rowsOfWindow < _order.Length) _ahead = Ahead(window + 1);
        }

        _next++;
        return _windows[window & 1].AsSpan(place * rows.Width, rows.Width);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        WaitForWindow();
        _sorted?.Dispose();
    }

    private int RecordLength => rows.Width + Places;

    private int Windows => (_order.Length + _rowsOfWindow - 1) / _rowsOfWindow;

    private int RowsOf(int window) => Math.Min(_rowsOfWindow, _order.Length - (window * _rowsOfWindow));

    private long OffsetOf(int window, int row) => sizeof(float) * (long)RecordLength * ((window * (long)_rowsOfWindow) + row);

    private void Prepare()
    {
        var (file, record) = (rows.File!, sizeof(float) * (long)RecordLength);
        var most = Array.MaxLength / RecordLength;
        _rowsOfWindow = (int)Math.Clamp(file.Budget / Share / record, 1, Math.Min(most, _order.Length));
        _rowsOfPart = (int)Math.Clamp(file.Budget / Share / record / Windows, 1, Math.Min(most / Windows, file.RowsAtOnce));
        _parts = new float[Windows * _rowsOfPart * RecordLength];
        _windows = [.. Enumerable.Range(0, Math.Min(2, Windows)).Select(_ => new float[_rowsOfWindow * rows.Width])];
        _sorted = RowFile.Create(RecordLength, file.Budget, _order.Length).Close();

        // Where so many rows of the file go is known at once: each time the whole order is gone through.
        var placed = Math.Max(file.Budget / Share / sizeof(int), (file.Count + MostLooks - 1) / MostLooks);
        _placeOf = new int[Math.Min(placed, file.Count)];
    }

    private void Sort()
    {
        if (_sorted is null || _order.Length > _rowsOfWindow * (long)Windows) Prepare();
        var (file, counts, written) = (rows.File!, new int[Windows], new int[Windows]);
        var read = new float[file.RowsAtOnce * rows.Width];
        for (var (first, placed, count) = (0, 0, 0); first < file.Count; first += count)
        {
            if (first == placed) placed = Place(first);
            count = Math.Min(file.RowsAtOnce, placed - first);
            file.Read(first, read.AsSpan(0, count * rows.Width));
            for (var i = 0; i < count; i++)
            {
                if (_placeOf[(first + i) % _placeOf.Length] is >= 0 and var place) Take(place, read.AsSpan(i * rows.Width, rows.Width));
            }
        }

        for (var window = 0; window < counts.Length; window++) Write(window);
        ReadWindow(0);
        _isSorted = true;

        void Take(int place, ReadOnlySpan<float> row)
        {
            var window = place / _rowsOfWindow;
            var record = Part(window).Slice(counts[window] * RecordLength, RecordLength);
            record[0] = BitConverter.Int32BitsToSingle(place % _rowsOfWindow);
            row.CopyTo(record[Places..]);
            if (++counts[window] == _rowsOfPart) Write(window);
        }

        void Write(int window)
        {
            _sorted!.WriteAt(OffsetOf(window, written[window]), Part(window)[..(counts[window] * RecordLength)]);
            written[window] += counts[window];
            counts[window] = 0;
        }
    }

    // Finds the places of rows of the file from one on; gives the first that has none yet.
    private int Place(int first)
    {
        var end = (int)Math.Min(first + (long)_placeOf.Length, rows.File!.Count);
        Array.Fill(_placeOf, -1);
        for (var place = 0; place < _order.Length; place++)
            if (rows.GivenRow(_order[place]) is var row && row >= first && row < end) _placeOf[row - first] = place;
        return end;
    }

    private Span<float> Part(int window) => _parts.AsSpan(window * _rowsOfPart * RecordLength, _rowsOfPart * RecordLength);

    // The parts lie idle while windows are read.
    private void ReadWindow(int window)
    {
        var (target, count) = (_windows[window & 1], RowsOf(window));
        var atOnce = Math.Max(1, Math.Min(_parts.Length / RecordLength, rows.File!.RowsAtOnce));
        for (var first = 0; first < count; first += atOnce)
        {
            var records = _parts.AsSpan(0, Math.Min(atOnce, count - first) * RecordLength);
            _sorted!.ReadAt(OffsetOf(window, first), records);
            for (; !records.IsEmpty; records = records[RecordLength..])
            {
                var place = BitConverter.SingleToInt32Bits(records[0]);
                records[Places..RecordLength].CopyTo(target.AsSpan(place * rows.Width));
            }
        }
    }

    // By itself: where the row is taken, what is captured would be allocated for each of them.
    private Task Ahead(int window) => Task.Run(() => ReadWindow(window));

    private void WaitForWindow()
    {
        _ahead?.GetAwaiter().GetResult();
        _ahead = null;
    }
}
