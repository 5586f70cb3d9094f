using System.Numerics;
using System.Text;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// The texts of a column. Each different one is stored and read as a number once, and the rows refer to it: columns of categories stay
/// small, and everything that depends on a text only is worked out per text, not per row.
/// </summary>
internal sealed class TextCells(string[] texts, int[] codes)
{
    private CellValue[]? _values;

    /// <summary>The different texts, in the order in which they occur first.</summary>
    public string[] Texts { get; } = texts;

    /// <summary>For each row, the index of its text.</summary>
    public int[] Codes { get; } = codes;

    /// <summary>What each of <see cref="Texts"/> is, as programs write numbers.</summary>
    public CellValue[] Values => _values ??= Array.ConvertAll(Texts, CellValue.Read);

    /// <summary>Collects the texts of a column.</summary>
    public sealed class Builder
    {
        private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _codeOf =
            new Dictionary<string, int>().GetAlternateLookup<ReadOnlySpan<char>>();

        private readonly List<string> _texts = [];
        private readonly Dictionary<TextPool, int[]> _codes = [];
        private TextPool? _pool;
        private int[] _known = [];
        private int[] _rows = [];
        private int _count;
        private char[] _text = new char[256];

        /// <summary>Adds a row.</summary>
        /// <param name="pool">Where its text is.</param>
        /// <param name="place">Which of those there.</param>
        public void Add(TextPool pool, int place)
        {
            if (pool != _pool)
            {
                if (_pool is not null) _codes[_pool] = _known;
                (_pool, _known) = (pool, _codes.GetValueOrDefault(pool) ?? []);
            }

            if (_known.Length <= place)
            {
                var length = _known.Length;
                Array.Resize(ref _known, Math.Max(place + 1, Math.Max(16, 2 * length)));
                _known.AsSpan(length).Fill(-1);
            }

            if (_known[place] < 0) _known[place] = CodeOf(pool[place]);
            if (_count == _rows.Length) Array.Resize(ref _rows, Math.Max(16, 2 * _count));
            _rows[_count++] = _known[place];
        }

        /// <summary>The column.</summary>
        public TextCells Build() => new([.. _texts], _rows.Length == _count ? _rows : _rows[.._count]);

        private int CodeOf(ReadOnlySpan<byte> utf8)
        {
            if (_text.Length < utf8.Length) // UTF-8 never has fewer bytes than UTF-16 has characters.
                _text = new char[utf8.Length * 2];
            var text = _text.AsSpan(0, Encoding.UTF8.GetChars(utf8, _text));
            if (_codeOf.TryGetValue(text, out var code)) return code;
            code = _texts.Count;
            var kept = text.ToString();
            _texts.Add(kept);
            _codeOf.Dictionary.Add(kept, code);
            return code;
        }
    }
}

/// <summary>
/// Texts as UTF-8, each once. One thread adds; what it has handed on to another, that one may read meanwhile: nothing ever changes.
/// </summary>
internal sealed class TextPool
{
    // Another in each process: nobody can make texts that meet in one slot.
    private static readonly ulong Seed = (ulong)Random.Shared.NextInt64();

    private byte[] _bytes = new byte[256];
    private int[] _ends = new int[16];
    private int[] _slots = new int[32];

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>The bytes that they take.</summary>
    public int Size { get; private set; }

    /// <summary>A text.</summary>
    public ReadOnlySpan<byte> this[int place]
    {
        get
        {
            var ends = Volatile.Read(ref _ends);
            var start = place == 0 ? 0 : ends[place - 1];
            return Volatile.Read(ref _bytes).AsSpan(start, ends[place] - start);
        }
    }

    /// <summary>The place of a text, which is added if it is not there.</summary>
    public int Add(ReadOnlySpan<byte> text)
    {
        var slot = (int)HashOf(text) & (_slots.Length - 1);
        for (; _slots[slot] > 0; slot = (slot + 1) & (_slots.Length - 1))
            if (this[_slots[slot] - 1].SequenceEqual(text)) return _slots[slot] - 1;
        _slots[slot] = Count + 1;
        if (Size + text.Length > _bytes.Length) Volatile.Write(ref _bytes, Grown(_bytes, Size + text.Length));
        if (Count == _ends.Length) Volatile.Write(ref _ends, Grown(_ends, Count + 1));
        text.CopyTo(_bytes.AsSpan(Size));
        Size += text.Length;
        _ends[Count++] = Size;
        if (2 * Count > _slots.Length) Rehash();
        return Count - 1;
    }

    private static T[] Grown<T>(T[] array, int length)
    {
        var grown = new T[Math.Max(length, 2 * array.Length)];
        array.CopyTo(grown, 0);
        return grown;
    }

    private void Rehash()
    {
        _slots = new int[4 * _slots.Length];
        for (var place = 0; place < Count; place++)
        {
            var slot = (int)HashOf(this[place]) & (_slots.Length - 1);
            while (_slots[slot] > 0) slot = (slot + 1) & (_slots.Length - 1);
            _slots[slot] = place + 1;
        }
    }

    private static uint HashOf(ReadOnlySpan<byte> text)
    {
        const ulong prime = 0x9E3779B97F4A7C15;
        var hash = Seed + (ulong)text.Length;
        for (; text.Length >= 8; text = text[8..]) hash = BitOperations.RotateLeft((hash ^ BitConverter.ToUInt64(text)) * prime, 29);
        var rest = 0UL;
        foreach (var letter in text) rest = (rest << 8) | letter;
        hash = (hash ^ rest) * prime;
        return (uint)(hash >> 32) ^ (uint)(hash >> 11);
    }
}
