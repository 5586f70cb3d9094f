using System.Numerics;

namespace MlNetBatchNorm.Onnx.Tables;

/// <summary>
/// The places of texts in a list, found by characters that need not be a string: a row's text is looked up where it stands. (A dictionary
/// can be asked in this way on .NET 9 and later, this on .NET 8, too.)
/// </summary>
internal sealed class TextPlaces
{
    private readonly string[] _texts;
    private readonly int[] _hashes;

    // A table of twice as many seats as texts: a text sits at that of its hash, or at the next that was free. 0 = free, else its place + 1.
    private readonly int[] _seats;

    /// <param name="texts">The texts.</param>
    /// <exception cref="ArgumentException">Two of the texts are equal.</exception>
    public TextPlaces(IEnumerable<string> texts)
    {
        _texts = [.. texts];
        _hashes = [.. _texts.Select(text => string.GetHashCode(text))];
        _seats = new int[BitOperations.RoundUpToPowerOf2((uint)Math.Max(2 * _texts.Length, 2))];
        for (var place = 0; place < _texts.Length; place++)
        {
            var seat = Seat(_texts[place], _hashes[place]);
            if (_seats[seat] != 0) throw new ArgumentException($"{NameList.Quote(_texts[place])} is there twice.", nameof(texts));
            _seats[seat] = place + 1;
        }
    }

    /// <summary>The place of a text, compared by its characters; -1 = it is none of them.</summary>
    public int this[ReadOnlySpan<char> text] => _seats[Seat(text, string.GetHashCode(text))] - 1;

    // Where the text sits, or would.
    private int Seat(ReadOnlySpan<char> text, int hash)
    {
        var mask = _seats.Length - 1;
        for (var seat = hash & mask; ; seat = (seat + 1) & mask)
        {
            var place = _seats[seat] - 1;
            if (place < 0 || (_hashes[place] == hash && text.SequenceEqual(_texts[place]))) return seat;
        }
    }
}
