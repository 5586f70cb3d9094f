using System.Collections;
using System.Globalization;
using System.Runtime.InteropServices;

namespace MlNetBatchNorm.Trainer.Data;

/// <summary>Visits a row as it was given.</summary>
/// <param name="row">Which one of the visited rows it is, from 0.</param>
/// <param name="values">The values that are kept.</param>
/// <param name="slots">Where they are; empty where all are kept.</param>
internal delegate void RowVisitor(int row, ReadOnlySpan<float> values, ReadOnlySpan<int> slots);

/// <summary>
/// Rows of features, once: in memory in blocks, so that rows times features may be more than an array can hold, or, where they are more
/// than their budget, in a file (<see cref="RowFile"/>). Where nearly all of the values are zeros (categories, words), only the others are
/// kept. A row is written out, and standardized, when a mini-batch takes it. Immutable.
/// </summary>
internal sealed class FeatureRows
{
    /// <summary>How many values are written out at once where all of the rows would be too many.</summary>
    public const int ValuesAtOnce = 1 << 22;

    // Of one row in so many, each is read where it lies.
    private const int FewOfFile = 1000;

    private readonly Block[] _blocks;
    private readonly int _rowsPerBlock;
    private readonly int _stored;

    // For each row the one that was given, and perhaps others behind them; null = all of them, in their order.
    private int[]? _order;
    private ChannelMap? _map;

    // For each slot that was given its place among those that are left, or -1, and what stands where no value is kept; null = all, zeros.
    private int[]? _places;
    private float[]? _background;

    private FeatureRows(int stored, int width, Block[] blocks, int rowsPerBlock, RowFile? file)
    {
        (_stored, Count, Width) = (stored, stored, width);
        (_blocks, _rowsPerBlock, File) = (blocks, rowsPerBlock, file);
    }

    // The same rows, seen otherwise.
    private FeatureRows(FeatureRows rows)
        : this(rows._stored, rows.Width, rows._blocks, rows._rowsPerBlock, rows.File)
    {
        Count = rows.Count;
        (_order, _map, _places, _background) = (rows._order, rows._map, rows._places, rows._background);
    }

    /// <summary>The number of rows.</summary>
    public int Count { get; private init; }

    /// <summary>The values of a row.</summary>
    public int Width { get; private init; }

    /// <summary>Whether only some of the values are kept.</summary>
    public bool IsSparse => _blocks is [{ Starts: not null }, ..];

    /// <summary>The file that they are in; null = they are in memory.</summary>
    public RowFile? File { get; }

    /// <summary>How many rows of a width are at most written out at once: a number, or fewer so that memory stays small.</summary>
    public static int RowsAtOnce(int wanted, long width) => (int)Math.Min(wanted, Math.Max(16, ValuesAtOnce / Math.Max(width, 1)));

    /// <summary>Takes an array of whole rows, row-major, without copying it.</summary>
    public static FeatureRows Of(float[] values, int width)
    {
        var count = values.Length / width;
        return new FeatureRows(count, width, [new Block(values, null, null)], Math.Max(count, 1), null);
    }

    /// <summary>One row: what is kept, where all of its values are, or else written out.</summary>
    /// <param name="row">The row, from 0.</param>
    /// <param name="scratch">Room for a row.</param>
    public ReadOnlySpan<float> Read(int row, Span<float> scratch)
    {
        if (_order is not null) row = _order[row];
        var target = scratch.Length < Width ? [] : scratch[..Width];
        if (File is not null)
        {
            File.Read(row, target);
            _map?.Apply(target, target);
            return target;
        }

        // A division for each row would be felt where there is but one block.
        var (block, local) = _blocks.Length == 1 ? (_blocks[0], row) : (_blocks[row / _rowsPerBlock], row % _rowsPerBlock);
        if (block.Starts is null)
        {
            var values = block.Values.AsSpan(local * Width, Width);
            if (_map is null) return values;
            _map.Apply(values, target);
            return target;
        }

        if (_background is null) target.Clear();
        else _background.CopyTo(target);
        for (var (i, end) = (block.Starts[local], block.Starts[local + 1]); i < end; i++)
        {
            var slot = block.Slots![i];
            var place = _places is null ? slot : _places[slot];
            if (place >= 0) target[place] = _map is null ? block.Values[i] : _map.Apply(slot, block.Values[i]);
        }

        return target;
    }

    /// <summary>Says that <see cref="Expect"/> will be called for a row.</summary>
    public void ExpectPlace(int row)
    {
        if (_order is not null) Prefetch.LineOf(in _order[row]);
    }

    /// <summary>Says that a row will be read soon.</summary>
    public void Expect(int row)
    {
        // What follows upon these, the processor guesses by itself.
        const int CacheLine = 64 / sizeof(float), Lines = 8;
        if (File is not null) return;
        if (_order is not null) row = _order[row];
        var (block, local) = _blocks.Length == 1 ? (_blocks[0], row) : (_blocks[row / _rowsPerBlock], row % _rowsPerBlock);
        var (start, end) = block.Starts is { } starts
            ? (starts[local], starts[local + 1])
            : (local * Width, Math.Min((local + 1) * Width, (local * Width) + (Lines * CacheLine)));
        for (var i = start; i < end; i += CacheLine) Prefetch.LineOf(in block.Values[i]);
    }

    /// <summary>Makes of a row as it lies in <see cref="File"/> what the rows are, in place.</summary>
    public void Finish(Span<float> row) => _map?.Apply(row, row);

    /// <summary>Writes rows out.</summary>
    /// <param name="first">The first of them.</param>
    /// <param name="count">How many.</param>
    /// <param name="target">Where to, row-major.</param>
    public void CopyTo(int first, int count, Span<float> target)
    {
        var atOnce = File is not null && _order is null;
        if (atOnce) File!.Read(first, target[..(count * Width)]);
        for (var i = 0; i < count; i++)
        {
            var place = target.Slice(i * Width, Width);
            if (atOnce)
            {
                Finish(place);
                continue;
            }

            var row = Read(first + i, place);
            if (!row.Overlaps(place)) row.CopyTo(place);
        }
    }

    /// <summary>All rows as one array, row-major: the one they were made of, or a new one.</summary>
    /// <exception cref="InvalidOperationException">They are more than an array can hold.</exception>
    public float[] ToArray()
    {
        if (_blocks is [{ Starts: null } only] && _order is null && _map is null && only.Values.Length == Count * (long)Width)
            return only.Values;
        if ((long)Count * Width > Array.MaxLength)
            throw new InvalidOperationException(string.Create(
                CultureInfo.InvariantCulture,
                $"{Count:N0} rows of {Width:N0} features are more than one array can hold; read them row by row."));
        var values = new float[Count * Width];
        CopyTo(0, Count, values);
        return values;
    }

    /// <summary>Some of the rows, in the order given; nothing is copied.</summary>
    public FeatureRows Select(ReadOnlySpan<int> rows)
    {
        int[] order = [.. rows];
        return Take(order, order.Length);
    }

    /// <summary>The same without a copy: the numbers are taken over, and nobody may look at them again.</summary>
    /// <param name="order">The rows.</param>
    /// <param name="count">How many of these, from the first on.</param>
    public FeatureRows Take(int[] order, int count)
    {
        if (_order is not null)
            for (var i = 0; i < count; i++) order[i] = _order[order[i]];
        return new FeatureRows(this) { Count = count, _order = order };
    }

    /// <summary>The rows with each value standardized as it is read.</summary>
    /// <param name="map">How, by the slot of the rows as they were given.</param>
    public FeatureRows Standardize(ChannelMap map)
    {
        if (_map is not null || _places is not null) throw new InvalidOperationException("The rows are standardized already.");
        var standardized = new FeatureRows(this) { _map = map };
        if (!IsSparse) return standardized;
        standardized._background = new float[Width];
        map.Apply(standardized._background, standardized._background);
        return standardized;
    }

    /// <summary>Rows of which only some values are kept, with some of their slots only; nothing is copied.</summary>
    /// <param name="slots">The slots, ascending.</param>
    public FeatureRows Keep(int[] slots)
    {
        if (!IsSparse || _places is not null) throw new InvalidOperationException("Slots of sparse rows are left out, and once.");
        var places = new int[Width];
        Array.Fill(places, -1);
        for (var i = 0; i < slots.Length; i++) places[slots[i]] = i;
        return new FeatureRows(this)
        {
            Width = slots.Length,
            _places = places,
            _background = _background is null ? null : Array.ConvertAll(slots, slot => _background[slot]),
        };
    }

    /// <summary>
    /// The rows in the order in which they are, for who reads them in it again and again: those of a file that lie in another are copied to
    /// one of their own, all others stay.
    /// </summary>
    public FeatureRows Arranged()
    {
        if (File is null || _order is null) return this;
        var file = RowFile.Create(Width, File.Budget, Count);
        if (Count <= File.Count / FewOfFile)
        {
            var row = new float[Width];
            for (var i = 0; i < Count; i++)
            {
                File.Read(_order[i], row);
                file.Append(row);
            }

            return new FeatureRows(Count, Width, [], 1, file.Close()) { _map = _map };
        }

        using var dealer = new RowDealer(this);
        int[] order = [.. Enumerable.Range(0, Count)];
        dealer.Restart(order);
        for (var row = 0; row < Count; row++) file.Append(dealer.NextGiven());
        return new FeatureRows(Count, Width, [], 1, file.Close()) { _map = _map };
    }

    /// <summary>For each row the one of the file.</summary>
    public int GivenRow(int row) => _order is null ? row : _order[row];

    /// <summary>
    /// Visits the rows as they were given, whatever was made of them since, each once, and in the order in which they lie: quickly, also
    /// where that is a file.
    /// </summary>
    public void Visit(RowVisitor visit)
    {
        var (wanted, visited) = (Lying(), 0);
        var buffer = File is null ? [] : new float[File.RowsAtOnce * File.Width];
        for (var (first, count) = (0, 0); first < _stored; first += count)
        {
            count = Math.Min(File?.RowsAtOnce ?? _rowsPerBlock, _stored - first);
            if (wanted is not null && !HasAny(wanted, first, count)) continue;
            var block = File is null ? _blocks[first / _rowsPerBlock] : new Block(buffer, null, null);
            var width = _places?.Length ?? Width;
            File?.Read(first, buffer.AsSpan(0, count * width));
            for (var i = 0; i < count; i++)
            {
                if (wanted?[first + i] == false) continue;
                if (block.Starts is null) visit(visited++, block.Values.AsSpan(i * width, width), []);
                else
                {
                    var (start, length) = (block.Starts[i], block.Starts[i + 1] - block.Starts[i]);
                    visit(visited++, block.Values.AsSpan(start, length), block.Slots.AsSpan(start, length));
                }
            }
        }
    }

    // Which of the rows that were given are there; null = all.
    private BitArray? Lying()
    {
        if (_order is null) return null;
        var lying = new BitArray(_stored);
        foreach (var row in _order.AsSpan(0, Count)) lying[row] = true;
        return lying;
    }

    private static bool HasAny(BitArray wanted, int first, int count)
    {
        for (var row = first; row < first + count; row++)
            if (wanted[row]) return true;
        return false;
    }

    /// <summary>
    /// Some rows: all of their values, or those at <c>Slots</c>, a row's from <c>Starts[row]</c> to <c>Starts[row + 1]</c>.
    /// </summary>
    private readonly record struct Block(float[] Values, int[]? Slots, int[]? Starts);

    /// <summary>
    /// Takes rows up one by one. The first block decides whether all values are kept, or only those that are not zero; in the former case
    /// they go to a file where they are more than the budget.
    /// </summary>
    public sealed class Builder
    {
        // A kept value costs its slot, too: half of the memory is to be saved at least.
        private const int DenseShare = 4;

        private readonly int _width;
        private readonly long? _expected;
        private readonly long _available;
        private readonly long _budget;
        private readonly int _rowsPerBlock;
        private readonly int _fewestValues;
        private readonly List<Block> _blocks = [];
        private readonly List<int> _slots = [];
        private readonly List<int> _starts = [0];
        private readonly List<float> _values = [];
        private RowFile? _file;
        private bool? _isSparse;
        private bool _collectsSparse;
        private int _rowsInBlock;
        private int _count;
        private long _bytes;

        /// <param name="width">The values of a row.</param>
        /// <param name="expectedRows">How many rows will come, as far as is known.</param>
        /// <param name="availableBytes">The memory that there is; null = what the runtime says.</param>
        /// <param name="blockValues">The values of a block.</param>
        /// <param name="budget">The memory that rows may take, in bytes; null = <see cref="RowFile.DefaultBudget"/>.</param>
        public Builder(
            int width, long? expectedRows = null, long? availableBytes = null, int blockValues = ValuesAtOnce, long? budget = null)
        {
            _width = width;
            _expected = expectedRows;
            _available = availableBytes ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
            _budget = budget ?? RowFile.DefaultBudget;

            // A block is in memory beside what it goes to.
            var values = (int)Math.Clamp(_budget / (sizeof(float) * 16), 1, blockValues);
            _rowsPerBlock = Math.Max(1, values / width);

            // What fits into a fraction of a block is not worth the slots.
            _fewestValues = blockValues / 4;
        }

        /// <summary>Takes up a row.</summary>
        /// <param name="values">Its values: all, or those at <paramref name="slots"/>.</param>
        /// <param name="slots">The slots of the values, ascending; empty where all values are given.</param>
        /// <param name="isDense">Whether all values are given.</param>
        /// <exception cref="InsufficientMemoryException">The rows need more memory, or more of the disk, than there is.</exception>
        public void Add(ReadOnlySpan<float> values, ReadOnlySpan<int> slots, bool isDense)
        {
            if (_count == 0)
            {
                _collectsSparse = !isDense && (long)values.Length * DenseShare <= _width;
                if (!_collectsSparse) _values.EnsureCapacity((int)Math.Min(_rowsPerBlock, _expected ?? 16) * _width);
            }

            if (!_collectsSparse) AddDense(values, slots, isDense);
            else
            {
                for (var i = 0; i < values.Length; i++)
                {
                    if (values[i] == 0) continue;
                    _slots.Add(isDense ? i : slots[i]);
                    _values.Add(values[i]);
                }

                _starts.Add(_values.Count);
            }

            _count++;
            if (++_rowsInBlock == _rowsPerBlock) Close();
        }

        /// <summary>The rows.</summary>
        public FeatureRows Build()
        {
            if (_rowsInBlock > 0) Close();
            _values.Capacity = 0;
            return new FeatureRows(_count, _width, [.. _blocks], _rowsPerBlock, _file?.Close());
        }

        private void AddDense(ReadOnlySpan<float> values, ReadOnlySpan<int> slots, bool isDense)
        {
            var start = _values.Count;
            CollectionsMarshal.SetCount(_values, start + _width);
            var row = CollectionsMarshal.AsSpan(_values)[start..];
            if (isDense)
            {
                values.CopyTo(row);
                return;
            }

            row.Clear();
            for (var i = 0; i < values.Length; i++) row[slots[i]] = values[i];
        }

        private void Close()
        {
            if (_isSparse is null)
            {
                var all = (long)_rowsInBlock * _width;
                var kept = _collectsSparse ? _values.Count : _values.Count - CollectionsMarshal.AsSpan(_values).Count(0f);
                _isSparse = all >= _fewestValues && kept * (long)DenseShare <= all;
            }

            if (_isSparse == false && GoesToFile)
            {
                _file ??= BeginFile();
                _file.Append(_collectsSparse ? Expanded().Values : CollectionsMarshal.AsSpan(_values));
            }
            else
            {
                Block block = (_collectsSparse, _isSparse.Value) switch
                {
                    (false, false) => new Block(LargePages.Copy(CollectionsMarshal.AsSpan(_values)), null, null),
                    (true, true) => new Block([.. _values], [.. _slots], [.. _starts]),
                    (true, false) => Expanded(),
                    (false, true) => Compressed(),
                };
                _blocks.Add(block);
                _bytes += sizeof(float) * ((long)block.Values.Length + (block.Slots?.Length ?? 0) + (block.Starts?.Length ?? 0));
                RequireMemory();
            }

            _collectsSparse = _isSparse.Value;
            _values.Clear();
            _slots.Clear();
            _starts.Clear();
            _starts.Add(0);
            _rowsInBlock = 0;
        }

        private bool GoesToFile =>
            _file is not null || sizeof(float) * (double)_width * Math.Max(_expected ?? 0, _count) > Math.Min(_budget, _available);

        private RowFile BeginFile()
        {
            var file = RowFile.Create(_width, _budget, Math.Max(_expected ?? 0, _count));
            foreach (var block in _blocks) file.Append(block.Values);
            _blocks.Clear();
            return file;
        }

        private Block Expanded()
        {
            var values = new float[_rowsInBlock * _width];
            for (var row = 0; row < _rowsInBlock; row++)
                for (var i = _starts[row]; i < _starts[row + 1]; i++) values[(row * _width) + _slots[i]] = _values[i];
            return new Block(values, null, null);
        }

        private Block Compressed()
        {
            var kept = _values.Count - CollectionsMarshal.AsSpan(_values).Count(0f);
            var (values, slots, starts) = (new float[kept], new int[kept], new int[_rowsInBlock + 1]);
            var to = 0;
            for (var row = 0; row < _rowsInBlock; row++)
            {
                for (var slot = 0; slot < _width; slot++)
                {
                    if (_values[(row * _width) + slot] is var value && value == 0) continue;
                    (values[to], slots[to]) = (value, slot);
                    to++;
                }

                starts[row + 1] = to;
            }

            return new Block(values, slots, starts);
        }

        // Said when the first block is there, not when the memory is used up.
        private void RequireMemory()
        {
            var rows = Math.Max(_expected ?? 0, _count);
            var needed = (double)_bytes / _count * rows;
            if (needed <= _available) return;
            throw new InsufficientMemoryException(string.Create(
                CultureInfo.InvariantCulture,
                $"{(_expected is null ? "At least " : string.Empty)}{rows:N0} rows × {_width:N0} features need {needed / 1e9:0.0} GB of "
                + $"memory, zeros not counted, but there are {_available / 1e9:0.0} GB. {RowFile.Fewer}"));
        }
    }
}
