using System.Globalization;
using System.Text;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// The numbers of a column in which every cell is a number as programs write it, with a decimal point or with a decimal comma, or has no
/// value: without their texts, in blocks. Where all numbers of a block have few digits they take four bytes each, else eight; none is
/// rounded.
/// </summary>
internal sealed class NumberCells
{
    private const int BlockBits = 16;
    private const int BlockRows = 1 << BlockBits;

    // What stands for "no value" among whole numbers.
    private const int NoValue = int.MinValue;

    private readonly Block[] _blocks;

    private NumberCells(Block[] blocks, int count, NumberTraits traits)
    {
        _blocks = blocks;
        Count = count;
        Traits = traits;
    }

    /// <summary>The rows.</summary>
    public int Count { get; }

    /// <summary>How the numbers are written.</summary>
    public NumberTraits Traits { get; }

    /// <summary>The number in a row; NaN where there is none.</summary>
    public double this[int row]
    {
        get
        {
            ref readonly var block = ref _blocks[row >> BlockBits];
            var place = row & (BlockRows - 1);
            if (block.Wholes is not { } wholes) return block.Numbers[place];
            var whole = wholes[place];
            return whole == NoValue ? double.NaN : whole / block.Divisor;
        }
    }

    /// <summary>Numbers that are in memory, as they are: at most as many as a block has.</summary>
    public static NumberCells Of(double[] numbers, int count, NumberTraits traits) =>
        new([new Block(numbers, null, 1)], count, traits);

    /// <summary>The most rows that <see cref="Of"/> takes.</summary>
    public const int MostRows = BlockRows;

    private readonly record struct Block(double[] Numbers, int[]? Wholes, double Divisor);

    /// <summary>Collects the numbers of a column.</summary>
    public sealed class Builder
    {
        private readonly List<Block> _blocks = [];
        private double[] _pending = [];
        private int _count;

        /// <summary>Adds rows.</summary>
        /// <param name="numbers">Their numbers; NaN where there is none.</param>
        /// <param name="decimals">How many digits behind the decimal mark they have at most, as far as is known.</param>
        public void Add(ReadOnlySpan<double> numbers, int decimals)
        {
            while (!numbers.IsEmpty)
            {
                var place = _count & (BlockRows - 1);
                var part = numbers[..Math.Min(numbers.Length, BlockRows - place)];
                if (_pending.Length < place + part.Length)
                    Array.Resize(ref _pending, Math.Min(BlockRows, Math.Max(place + part.Length, 2 * _pending.Length)));
                part.CopyTo(_pending.AsSpan(place));
                _count += part.Length;
                numbers = numbers[part.Length..];
                if ((_count & (BlockRows - 1)) == 0) Close(BlockRows, decimals);
            }
        }

        /// <summary>The column.</summary>
        public NumberCells Build(NumberTraits traits)
        {
            if ((_count & (BlockRows - 1)) is > 0 and var rest) Close(rest, traits.Decimals);
            _pending = [];
            return new NumberCells([.. _blocks], _count, traits);
        }

        private void Close(int count, int decimals)
        {
            var numbers = _pending.AsSpan(0, count);
            _blocks.Add(AsWholes(numbers, decimals) is { } block ? block : new Block(numbers.ToArray(), null, 1));
        }

        // 0.25 as 25 of a hundred: the same number, as both it and the quotient are what is nearest to 25 / 100.
        private static Block? AsWholes(ReadOnlySpan<double> numbers, int decimals)
        {
            if (decimals > NumberTraits.ExactPowers) return null;
            var divisor = NumberTraits.PowerOfTen(decimals);
            var wholes = new int[numbers.Length];
            for (var i = 0; i < numbers.Length; i++)
            {
                var number = numbers[i];
                if (double.IsNaN(number))
                {
                    wholes[i] = NoValue;
                    continue;
                }

                var whole = Math.Round(number * divisor);
                if (!(Math.Abs(whole) <= int.MaxValue) || whole / divisor != number) return null;
                wholes[i] = (int)whole;
            }

            return new Block([], wholes, divisor);
        }
    }
}

/// <summary>How the numbers of a column are written, of which each was read by <see cref="TryRead"/>.</summary>
internal struct NumberTraits
{
    /// <summary>Powers of ten up to this one are exact in float64.</summary>
    public const int ExactPowers = 22;

    /// <summary>Fewer characters cannot have more digits than float64 always keeps.</summary>
    public const int AlwaysKept = 15;

    // Longer texts are no good examples.
    private const int LongestExample = 20;

    private static readonly double[] Powers = [.. Enumerable.Range(0, ExactPowers + 1).Select(power => double.Parse(
        $"1e{power}", CultureInfo.InvariantCulture))];

    private NumberExample? _firstExample;
    private NumberExample? _longestExample;
    private List<(long Row, decimal Number)>? _exact;

    /// <summary>The decimal mark that they are read with.</summary>
    public char Mark { get; private set; }

    /// <summary>Whether there is any number.</summary>
    public bool HasNumbers { get; private set; }

    /// <summary>Whether one has a decimal mark that cannot stand between thousands.</summary>
    public bool HasMark { get; private set; }

    /// <summary>Whether one has a mark that can be either, as 1.234.</summary>
    public bool HasDoubtful { get; private set; }

    /// <summary>The most digits behind the decimal mark.</summary>
    public int Decimals { get; private set; }

    /// <summary>The largest number without its sign.</summary>
    public double Most { get; private set; }

    /// <summary>The numbers of many digits, with all of them, in the first rows.</summary>
    public readonly IReadOnlyList<(long Row, decimal Number)> Exact => _exact ?? [];

    /// <summary>
    /// One with a mark, as it is written: the longest, if it is not too long to read, in the first row that has it. Null where none has.
    /// </summary>
    public readonly string? Example =>
        _firstExample?.Text is { Length: <= LongestExample } first && _longestExample?.Text is { } longest && longest.Length > first.Length
            ? longest
            : _firstExample?.Text;

    /// <summary>A power of ten that is exact.</summary>
    public static double PowerOfTen(int power) => Powers[power];

    /// <summary>Reads the text of a cell: a number as programs write it, or nothing.</summary>
    /// <param name="text">The text, ASCII where it is a number.</param>
    /// <param name="mark">The decimal mark.</param>
    /// <param name="row">The row, for the examples.</param>
    /// <param name="keepDigits">Whether to keep all digits of a number that has many.</param>
    /// <param name="number">The number, finite; NaN where the cell has no value.</param>
    /// <returns>Whether it is one or the other.</returns>
    public bool TryRead(ReadOnlySpan<byte> text, char mark, long row, bool keepDigits, out double number)
    {
        number = double.NaN;
        var i = text is [(byte)'-' or (byte)'+', ..] ? 1 : 0;
        var isNegative = i == 1 && text[0] == '-';
        var (start, digits) = (i, 0UL);
        for (; i < text.Length && (uint)(text[i] - '0') is <= 9 and var digit; i++) digits = (digits * 10) + digit;
        var (whole, decimals, hasMark) = (i - start, 0, i < text.Length && text[i] == mark);
        if (hasMark)
        {
            var first = ++i;
            for (; i < text.Length && (uint)(text[i] - '0') is <= 9 and var digit; i++) digits = (digits * 10) + digit;
            decimals = i - first;
        }

        if (whole + decimals == 0) return CellValue.IsMissing(text);
        var (exponent, hasExponent) = (0, i < text.Length);
        if (hasExponent && !TryReadExponent(text[i..], out exponent)) return false;
        var power = exponent - decimals;
        if (whole + decimals <= 19 && digits <= 1UL << 53 && power is >= -ExactPowers and <= ExactPowers)
        {
            // Two exact numbers: their product, or quotient, is what is nearest to the text.
            number = power < 0 ? (long)digits / Powers[-power] : (long)digits * Powers[power];
            if (isNegative) number = -number;
        }
        else if (!TryReadLong(text, mark, out number))
        {
            number = double.NaN;
            return false;
        }

        number += 0.0; // No sign on a zero.
        if (text.Length > AlwaysKept && keepDigits) KeepDigits(text, mark, row);
        (HasNumbers, Mark) = (true, mark);
        if (Math.Abs(number) > Most) Most = Math.Abs(number);
        if (decimals > Decimals) Decimals = decimals;
        if (!hasMark) return true;
        if (whole is 0 or > 3 || decimals != 3 || hasExponent || text[start] == '0') HasMark = true;
        else HasDoubtful = true;
        if (mark == ',') KeepExample(text, row);
        return true;
    }

    /// <summary>Takes in what another reader of the same column saw.</summary>
    public void Add(in NumberTraits other)
    {
        if (other.HasNumbers) (HasNumbers, Mark) = (true, other.Mark);
        HasMark |= other.HasMark;
        HasDoubtful |= other.HasDoubtful;
        Decimals = Math.Max(Decimals, other.Decimals);
        Most = Math.Max(Most, other.Most);
        if (other._firstExample is { } first && !(_firstExample?.Row < first.Row)) _firstExample = first;
        if (other._longestExample is { } longest && IsBetter(longest)) _longestExample = longest;
        if (other._exact is not { } exact) return;
        (_exact ??= []).AddRange(exact);
        _exact.Sort((one, two) => one.Row.CompareTo(two.Row));
    }

    private static bool TryReadExponent(ReadOnlySpan<byte> text, out int exponent)
    {
        exponent = 0;
        if (text[0] is not ((byte)'e' or (byte)'E')) return false;
        var digits = text[1..];
        if (digits is [(byte)'-' or (byte)'+', ..]) digits = digits[1..];
        if (digits.IsEmpty) return false;
        foreach (var character in digits)
        {
            if ((uint)(character - '0') is not (<= 9 and var digit)) return false;
            exponent = Math.Min(100_000, (exponent * 10) + (int)digit);
        }

        if (text[1] == '-') exponent = -exponent;
        return true;
    }

    private static bool TryReadLong(ReadOnlySpan<byte> text, char mark, out double number) =>
        double.TryParse(WithPoint(text, mark), NumberStyles.Float, CultureInfo.InvariantCulture, out number) && double.IsFinite(number);

    private static ReadOnlySpan<byte> WithPoint(ReadOnlySpan<byte> text, char mark)
    {
        if (mark == '.') return text;
        var copy = text.ToArray();
        copy.AsSpan().Replace((byte)mark, (byte)'.');
        return copy;
    }

    private void KeepDigits(ReadOnlySpan<byte> text, char mark, long row)
    {
        if (decimal.TryParse(WithPoint(text, mark), NumberStyles.Float, CultureInfo.InvariantCulture, out var exact))
            (_exact ??= []).Add((row, exact));
    }

    private void KeepExample(ReadOnlySpan<byte> text, long row)
    {
        if (_firstExample is null || row < _firstExample.Row) _firstExample = new(row, Encoding.ASCII.GetString(text));
        var length = text.Length;
        if (length > LongestExample || length < _longestExample?.Text.Length) return;
        if (_longestExample is null || length > _longestExample.Text.Length || row < _longestExample.Row)
            _longestExample = new(row, Encoding.ASCII.GetString(text));
    }

    private readonly bool IsBetter(NumberExample other) => _longestExample is not { } longest
        || other.Text.Length > longest.Text.Length || (other.Text.Length == longest.Text.Length && other.Row < longest.Row);

    private sealed record NumberExample(long Row, string Text);
}
