using System.Globalization;
using System.Runtime.InteropServices;

namespace MlNetBatchNorm.Trainer.Data;

/// <summary>
/// Rows of features in memory, in blocks, so that rows times features may be more than an array can hold. Where nearly all of the values
/// are zeros (categories, words), only the others are kept; a row is written out when a mini-batch takes it. Immutable.
/// </summary>
internal sealed class FeatureRows
{
    /// <summary>How many values are written out at once where all of the rows would be too many.</summary>
    public const int ValuesAtOnce = 1 << 22;

    private readonly Block[] _blocks;
    private readonly int _rowsPerBlock;
    private readonly int[]? _order;

    // What stands where no value is kept; null = zeros.
    private readonly float[]? _background;

    private FeatureRows(int count, int width, Block[] blocks, int rowsPerBlock, int[]? order = null, float[]? background = null)
    {
        Count = count;
        Width = width;
        _blocks = blocks;
        _rowsPerBlock = rowsPerBlock;
        _order = order;
        _background = background;
    }

    /// <summary>The number of rows.</summary>
    public int Count { get; }

    /// <summary>The values of a row.</summary>
    public int Width { get; }

    /// <summary>Whether only some of the values are kept.</summary>
    public bool IsSparse => _blocks[0].Starts is not null;

    /// <summary>How many rows of a width are at most written out at once: a number, or fewer so that memory stays small.</summary>
    public static int RowsAtOnce(int wanted, long width) => (int)Math.Min(wanted, Math.Max(16, ValuesAtOnce / Math.Max(width, 1)));

    /// <summary>Takes an array of whole rows, row-major, without copying it.</summary>
    public static FeatureRows Of(float[] values, int width)
    {
        var count = values.Length / width;
        return new FeatureRows(count, width, [new Block(values, null, null)], Math.Max(count, 1));
    }

    /// <summary>One row: what is kept, where all of its values are, or else written out.</summary>
    /// <param name="row">The row, from 0.</param>
    /// <param name="scratch">Room for a row.</param>
    public ReadOnlySpan<float> Read(int row, Span<float> scratch)
    {
        var (block, local) = Place(row);
        if (block.Starts is null) return block.Values.AsSpan(local * Width, Width);
        var target = scratch[..Width];
        if (_background is null) target.Clear();
        else _background.CopyTo(target);
        var (start, end) = (block.Starts[local], block.Starts[local + 1]);
        for (var i = start; i < end; i++) target[block.Slots![i]] = block.Values[i];
        return target;
    }

    /// <summary>Writes rows out.</summary>
    /// <param name="first">The first of them.</param>
    /// <param name="count">How many.</param>
    /// <param name="target">Where to, row-major.</param>
    public void CopyTo(int first, int count, Span<float> target)
    {
        for (var i = 0; i < count; i++)
        {
            var place = target.Slice(i * Width, Width);
            var row = Read(first + i, place);
            if (!row.Overlaps(place)) row.CopyTo(place);
        }
    }

    /// <summary>All rows as one array, row-major: the one they were made of, or a new one.</summary>
    /// <exception cref="InvalidOperationException">They are more than an array can hold.</exception>
    public float[] ToArray()
    {
        if (_blocks is [{ Starts: null } only] && _order is null && only.Values.Length == Count * (long)Width) return only.Values;
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
        if (_order is not null)
            for (var i = 0; i < order.Length; i++) order[i] = _order[order[i]];
        return new FeatureRows(order.Length, Width, _blocks, _rowsPerBlock, order, _background);
    }

    /// <summary>The rows with each value replaced; they stay as sparse as they are.</summary>
    /// <param name="map">Makes a value of the slot and the value that was there.</param>
    public FeatureRows Map(Func<int, float, float> map)
    {
        var perBlock = _order is null ? _rowsPerBlock : RowsPerBlock(Width);
        var blocks = new Block[(Count + perBlock - 1) / perBlock];
        for (var b = 0; b < blocks.Length; b++)
        {
            var first = b * perBlock;
            var count = Math.Min(perBlock, Count - first);
            blocks[b] = IsSparse ? MapSparse(first, count, map) : MapDense(first, count, map);
        }

        var background = IsSparse ? new float[Width] : null;
        for (var slot = 0; slot < background?.Length; slot++) background[slot] = map(slot, _background?[slot] ?? 0);
        return new FeatureRows(Count, Width, blocks, perBlock, background: background);
    }

    /// <summary>The rows with some of their slots only; what is sparse stays so.</summary>
    /// <param name="slots">The slots, ascending.</param>
    public FeatureRows Keep(int[] slots)
    {
        var places = new int[Width];
        Array.Fill(places, -1);
        for (var i = 0; i < slots.Length; i++) places[slots[i]] = i;
        var perBlock = IsSparse ? _rowsPerBlock : RowsPerBlock(slots.Length);
        var blocks = new Block[(Count + perBlock - 1) / perBlock];
        for (var b = 0; b < blocks.Length; b++)
        {
            var (values, kept, starts) = (new List<float>(), new List<int>(), new List<int> { 0 });
            for (var row = b * perBlock; row < Math.Min(Count, (b + 1) * perBlock); row++)
            {
                var (block, start, end, isSparse) = Find(row);
                for (var at = start; at < end; at++)
                {
                    var place = places[isSparse ? block.Slots![at] : at - start];
                    if (place < 0) continue;
                    values.Add(block.Values[at]);
                    if (isSparse) kept.Add(place);
                }

                starts.Add(values.Count);
            }

            blocks[b] = IsSparse ? new Block([.. values], [.. kept], [.. starts]) : new Block([.. values], null, null);
        }

        var background = _background is null ? null : Array.ConvertAll(slots, slot => _background[slot]);
        return new FeatureRows(Count, slots.Length, blocks, perBlock, background: background);
    }

    /// <summary>Visits the values that are kept, row by row. All others are <see cref="Elsewhere"/>.</summary>
    /// <param name="visit">Gets the row, the slot, and the value.</param>
    public void ForEach(Action<int, int, float> visit)
    {
        for (var i = 0; i < Count; i++)
        {
            var (block, start, end, isSparse) = Find(i);
            for (var at = start; at < end; at++) visit(i, isSparse ? block.Slots![at] : at - start, block.Values[at]);
        }
    }

    /// <summary>The value of a slot in all rows in which it is not kept.</summary>
    public float Elsewhere(int slot) => _background?[slot] ?? 0;

    /// <summary>The rows of a block.</summary>
    private static int RowsPerBlock(int width) => Math.Max(1, ValuesAtOnce / width);

    // A division for each row would be felt where there is but one block.
    private (Block Block, int Local) Place(int row)
    {
        if (_order is not null) row = _order[row];
        return _blocks.Length == 1 ? (_blocks[0], row) : (_blocks[row / _rowsPerBlock], row % _rowsPerBlock);
    }

    private (Block Block, int Start, int End, bool IsSparse) Find(int row)
    {
        var (block, local) = Place(row);
        return block.Starts is { } starts
            ? (block, starts[local], starts[local + 1], true)
            : (block, local * Width, (local + 1) * Width, false);
    }

    private Block MapDense(int first, int count, Func<int, float, float> map)
    {
        var values = new float[count * Width];
        for (var i = 0; i < count; i++)
        {
            var (block, start, _, _) = Find(first + i);
            for (var slot = 0; slot < Width; slot++) values[(i * Width) + slot] = map(slot, block.Values[start + slot]);
        }

        return new Block(values, null, null);
    }

    private Block MapSparse(int first, int count, Func<int, float, float> map)
    {
        var starts = new int[count + 1];
        for (var i = 0; i < count; i++)
        {
            var (_, start, end, _) = Find(first + i);
            starts[i + 1] = starts[i] + end - start;
        }

        var (values, slots) = (new float[starts[count]], new int[starts[count]]);
        for (var i = 0; i < count; i++)
        {
            var (block, start, end, _) = Find(first + i);
            for (var at = start; at < end; at++)
            {
                var to = starts[i] + at - start;
                slots[to] = block.Slots![at];
                values[to] = map(slots[to], block.Values[at]);
            }
        }

        return new Block(values, slots, starts);
    }

    /// <summary>
    /// Some rows: all of their values, or those at <c>Slots</c>, a row's from <c>Starts[row]</c> to <c>Starts[row + 1]</c>.
    /// </summary>
    private readonly record struct Block(float[] Values, int[]? Slots, int[]? Starts);

    /// <summary>Takes rows up one by one. The first block decides whether all values are kept, or only those that are not zero.</summary>
    public sealed class Builder
    {
        // A kept value costs its slot, too: half of the memory is to be saved at least.
        private const int DenseShare = 4;

        // The standardized rows are kept beside those that were given.
        private const int Copies = 2;

        private readonly int _width;
        private readonly long? _expected;
        private readonly long _available;
        private readonly int _rowsPerBlock;
        private readonly int _fewestValues;
        private readonly List<Block> _blocks = [];
        private readonly List<int> _slots = [];
        private readonly List<int> _starts = [0];
        private readonly List<float> _values = [];
        private bool? _isSparse;
        private bool _collectsSparse;
        private int _rowsInBlock;
        private int _count;
        private long _bytes;

        /// <param name="width">The values of a row.</param>
        /// <param name="expectedRows">How many rows will come, as far as is known.</param>
        /// <param name="availableBytes">The memory that there is; null = what the runtime says.</param>
        /// <param name="blockValues">The values of a block.</param>
        public Builder(int width, long? expectedRows = null, long? availableBytes = null, int blockValues = ValuesAtOnce)
        {
            _width = width;
            _expected = expectedRows;
            _available = availableBytes ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
            _rowsPerBlock = Math.Max(1, blockValues / width);

            // What fits into a fraction of a block is not worth the slots.
            _fewestValues = blockValues / 4;
        }

        /// <summary>Takes up a row.</summary>
        /// <param name="values">Its values: all, or those at <paramref name="slots"/>.</param>
        /// <param name="slots">The slots of the values, ascending; empty where all values are given.</param>
        /// <param name="isDense">Whether all values are given.</param>
        /// <exception cref="InsufficientMemoryException">The rows need more memory than there is.</exception>
        public void Add(ReadOnlySpan<float> values, ReadOnlySpan<int> slots, bool isDense)
        {
            if (_count == 0) _collectsSparse = !isDense && (long)values.Length * DenseShare <= _width;
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
            return new FeatureRows(_count, _width, [.. _blocks], _rowsPerBlock);
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
            var all = (long)_rowsInBlock * _width;
            var kept = _collectsSparse ? _values.Count : _values.Count - CollectionsMarshal.AsSpan(_values).Count(0f);
            _isSparse ??= all >= _fewestValues && kept * (long)DenseShare <= all;
            var block = (_collectsSparse, _isSparse.Value) switch
            {
                (false, false) => new Block([.. _values], null, null),
                (true, true) => new Block([.. _values], [.. _slots], [.. _starts]),
                (true, false) => Expanded(),
                (false, true) => Compressed(kept),
            };
            _blocks.Add(block);
            _bytes += sizeof(float) * ((long)block.Values.Length + (block.Slots?.Length ?? 0) + (block.Starts?.Length ?? 0));
            RequireMemory();
            _collectsSparse = _isSparse.Value;
            _values.Clear();
            _slots.Clear();
            _starts.Clear();
            _starts.Add(0);
            _rowsInBlock = 0;
        }

        private Block Expanded()
        {
            var values = new float[_rowsInBlock * _width];
            for (var row = 0; row < _rowsInBlock; row++)
                for (var i = _starts[row]; i < _starts[row + 1]; i++) values[(row * _width) + _slots[i]] = _values[i];
            return new Block(values, null, null);
        }

        private Block Compressed(int kept)
        {
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
            var needed = (double)Copies * _bytes / _count * rows;
            if (needed <= _available) return;
            throw new InsufficientMemoryException(string.Create(
                CultureInfo.InvariantCulture,
                $"{(_expected is null ? "At least " : string.Empty)}{rows:N0} rows × {_width:N0} features need {needed / 1e9:0.0} GB of "
                + $"memory{(_isSparse == true ? ", zeros not counted" : string.Empty)} (once as they are, once standardized), but there "
                + $"are {_available / 1e9:0.0} GB. Take fewer rows, or fewer features: leave out columns with many categories, hash to "
                + $"fewer bits, or keep fewer n-grams."));
        }
    }
}
