using System.Buffers;
using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Serialization;

namespace MlNetBatchNorm.Onnx.Tables;

/// <summary>
/// A column of free text: the words of a row, and the pairs of words that follow each other, are counted in buckets that a hash sends them
/// to, so that there is no list of words to keep. The buckets that enough of the training rows have are features.
/// </summary>
/// <remarks>
/// With letters made small, a word is what stands between other signs than letters, their marks, digits and underscores; in scripts without
/// spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) each letter is one, with its marks. A pair has a space between its words. The
/// bucket is |h| mod <see cref="Buckets"/>, h being MurmurHash3 (x86, 32 bits, seed 0; Appleby) of the UTF-8 as a number with a sign. The
/// counts are divided by the root of the sum of their squares. It is what scikit-learn's HashingVectorizer gives with
/// <c>token_pattern=r"\w+", ngram_range=(1, 2), alternate_sign=False</c>, as far as words are made of letters and digits.
/// </remarks>
internal sealed class TextFeature : FeatureColumn
{
    private const int MostBuckets = 1 << 20;

    // What has more letters is no word, and a text may have megabytes.
    private const int LongestWord = 256;

    private readonly int[] _places;

    /// <summary>Describes a column of texts.</summary>
    /// <param name="name">The column of the table.</param>
    /// <param name="buckets">How many buckets there are, a power of two, at most 2^20.</param>
    /// <param name="words">How many words that follow each other are counted together at most: 1 or 2.</param>
    /// <param name="kept">The buckets that are features, ascending; at least one.</param>
    [JsonConstructor]
    public TextFeature(string name, int buckets, int words, IReadOnlyList<int> kept)
        : base(name)
    {
        ArgumentNullException.ThrowIfNull(kept);
        if (!BitOperations.IsPow2(buckets) || buckets > MostBuckets)
            throw new ArgumentOutOfRangeException(
                nameof(buckets), buckets, $"The buckets of column '{name}' are a power of two, at most {MostBuckets}.");
        if (words is not (1 or 2))
            throw new ArgumentOutOfRangeException(nameof(words), words, $"Of column '{name}' 1 or 2 words are counted together.");
        if (kept.Count == 0 || kept[0] < 0 || kept[^1] >= buckets || kept.Zip(kept.Skip(1)).Any(pair => pair.First >= pair.Second))
            throw new ArgumentException(
                $"The buckets of column '{name}' that are features are ascending numbers below {buckets}.", nameof(kept));
        (Buckets, Words, Kept) = (buckets, words, kept);
        _places = new int[buckets];
        Array.Fill(_places, -1);
        for (var i = 0; i < kept.Count; i++) _places[kept[i]] = i;
    }

    /// <summary>How many buckets there are.</summary>
    public int Buckets { get; }

    /// <summary>How many words that follow each other are counted together at most.</summary>
    public int Words { get; }

    /// <summary>The buckets that are features, ascending.</summary>
    public IReadOnlyList<int> Kept { get; }

    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureCount => Kept.Count;

    /// <inheritdoc/>
    [JsonIgnore]
    public override IReadOnlyList<string> FeatureNames =>
        [.. Kept.Select(bucket => $"{Name}#{bucket.ToString(CultureInfo.InvariantCulture)}")];

    /// <summary>The words of a text, in their order, with letters made small; none where it stands for "no value".</summary>
    public static List<string> WordsOf(string text)
    {
        var words = new List<string>();
        if (CellValue.Read(text).Kind == CellKind.Missing) return words;
        var (start, place, isAlone) = (-1, 0, false);
        foreach (var rune in text.EnumerateRunes())
        {
            var (isPart, begins) = (IsPart(rune), IsWord(rune));

            // Marks belong to the letter in front.
            if (start >= 0 && (!isPart || begins || (isAlone && !IsMark(rune)))) End(place);
            if (isPart && start < 0) (start, isAlone) = (place, begins);
            place += rune.Utf16SequenceLength;
        }

        if (start >= 0) End(place);
        return words;

        void End(int end)
        {
            words.Add(text.Substring(start, Math.Min(end - start, LongestWord)).ToLowerInvariant());
            start = -1;
        }
    }

    /// <summary>How often each bucket comes up in a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="buckets">How many buckets there are.</param>
    /// <param name="words">How many words that follow each other are counted together at most.</param>
    public static Dictionary<int, int> Count(string text, int buckets, int words)
    {
        var counts = new Dictionary<int, int>();
        string? before = null;
        foreach (var word in WordsOf(text))
        {
            Add(word);
            if (words > 1 && before is not null) Add($"{before} {word}");
            before = word;
        }

        return counts;

        void Add(string term)
        {
            var bucket = BucketOf(term, buckets);
            counts[bucket] = counts.GetValueOrDefault(bucket) + 1;
        }
    }

    /// <summary>The features of a text that are not 0.</summary>
    /// <param name="text">The text.</param>
    public TextTerms Encode(string text)
    {
        var counts = Count(text, Buckets, Words);
        var length = Math.Sqrt(counts.Values.Sum(count => (double)count * count));
        int[] known = [.. counts.Keys.Where(bucket => _places[bucket] >= 0).Order()];
        return new TextTerms(
            Array.ConvertAll(known, bucket => _places[bucket]),
            Array.ConvertAll(known, bucket => (float)(counts[bucket] / length)),
            known.Length == 0 && counts.Count > 0);
    }

    /// <summary>Whether a letter is a word of its own: of scripts that put no spaces between words.</summary>
    public static bool IsWord(Rune rune) => !rune.IsAscii && Rune.IsLetter(rune) && rune.Value
        is (>= 0x0E00 and <= 0x0EFF) or (>= 0x1000 and <= 0x109F) or (>= 0x1780 and <= 0x17FF) // Thai and Lao, Burmese, Khmer
        or (>= 0x3040 and <= 0x30FF) or (>= 0x31F0 and <= 0x31FF) or (>= 0xFF66 and <= 0xFF9F) // kana
        or (>= 0x3400 and <= 0x4DBF) or (>= 0x4E00 and <= 0x9FFF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x20000 and <= 0x3FFFF);

    private static bool IsPart(Rune rune) => rune.Value == '_' || Rune.IsLetterOrDigit(rune) || IsMark(rune);

    private static bool IsMark(Rune rune) => !rune.IsAscii && Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark;

    private static int BucketOf(string term, int buckets)
    {
        const int Short = 512;
        var most = Encoding.UTF8.GetMaxByteCount(term.Length);
        var rented = most <= Short ? null : ArrayPool<byte>.Shared.Rent(most);
        var utf8 = rented is null ? stackalloc byte[Short] : rented;
        var hash = Murmur(utf8[..Encoding.UTF8.GetBytes(term, utf8)]);
        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        return (int)((hash >> 31 == 0 ? hash : unchecked(0 - hash)) & (uint)(buckets - 1));
    }

    private static uint Murmur(ReadOnlySpan<byte> bytes)
    {
        const uint First = 0xcc9e2d51, Second = 0x1b873593;
        var (hash, length) = (0u, (uint)bytes.Length);
        for (; bytes.Length >= sizeof(uint); bytes = bytes[sizeof(uint)..])
        {
            hash ^= BitOperations.RotateLeft(MemoryMarshal.Read<uint>(bytes) * First, 15) * Second;
            hash = (BitOperations.RotateLeft(hash, 13) * 5) + 0xe6546b64;
        }

        var rest = 0u;
        for (var i = bytes.Length - 1; i >= 0; i--) rest = (rest << 8) | bytes[i];
        hash ^= BitOperations.RotateLeft(rest * First, 15) * Second;
        hash ^= length;
        hash = (hash ^ (hash >> 16)) * 0x85ebca6b;
        hash = (hash ^ (hash >> 13)) * 0xc2b2ae35;
        return hash ^ (hash >> 16);
    }
}

/// <summary>The features of a text that are not 0.</summary>
/// <param name="Places">Which of the column's features they are, ascending.</param>
/// <param name="Values">What they are.</param>
/// <param name="IsUnknown">Whether the text has words, but none that is a feature.</param>
internal sealed record TextTerms(int[] Places, float[] Values, bool IsUnknown)
{
    /// <summary>Those of no text.</summary>
    public static TextTerms None { get; } = new([], [], false);

    /// <summary>Writes them to the features of the column.</summary>
    /// <param name="features">The features of the column, all 0.</param>
    public void WriteTo(Span<float> features)
    {
        for (var i = 0; i < Places.Length; i++) features[Places[i]] = Values[i];
    }
}
