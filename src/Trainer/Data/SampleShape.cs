using System.Globalization;

namespace MlNetBatchNorm;

/// <summary>
/// The shape of one row as it passes through a network, without the batch axis: <c>[C]</c> for features, <c>[C, L]</c> for sequences,
/// <c>[C, H, W]</c> for images. The first size is the number of channels.
/// </summary>
public readonly record struct SampleShape
{
    private readonly long[] _sizes;

    /// <summary>Creates a shape.</summary>
    /// <param name="sizes">One to three positive sizes, channels first.</param>
    /// <exception cref="ArgumentException">No size, more than three, or one that is not positive.</exception>
    public SampleShape(params long[] sizes)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        if (sizes.Length is < 1 or > 3 || sizes.Any(size => size < 1))
            throw new ArgumentException(
                $"[{string.Join(", ", sizes)}] is not the shape of a row; give 1 to 3 positive sizes, channels first.", nameof(sizes));
        _sizes = [.. sizes];
    }

    /// <summary>The sizes.</summary>
    public IReadOnlyList<long> Sizes => _sizes;

    /// <summary>The number of channels (of features, for <c>[C]</c>).</summary>
    public long Channels => _sizes[0];

    /// <summary>The values of one channel in one row: 1, L, or H·W.</summary>
    public long Positions => _sizes.AsSpan(1).ToArray().Aggregate(1L, (product, size) => product * size);

    /// <summary>The values in one row.</summary>
    public long Count => Channels * Positions;

    /// <summary>Whether a row is a plain vector.</summary>
    public bool IsVector => _sizes.Length == 1;

    /// <inheritdoc/>
    public bool Equals(SampleShape other) => _sizes.AsSpan().SequenceEqual(other._sizes);

    /// <inheritdoc/>
    public override int GetHashCode() => _sizes.Aggregate(0, HashCode.Combine);

    /// <summary>For example <c>[3, 32, 32]</c>.</summary>
    public override string ToString() => $"[{string.Join(", ", _sizes.Select(size => size.ToString(CultureInfo.InvariantCulture)))}]";
}
