using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>The shape of a tensor whose rank is known; single dimensions may be symbols or unknown.</summary>
internal sealed class TensorShape
{
    // More elements than any memory holds; sums of as many sizes as a file can name stay within 64 bits.
    private const long LargestSize = 1L << 40;

    private readonly TensorDimension[] _dimensions;

    /// <summary>Creates a shape.</summary>
    /// <param name="dimensions">The dimensions, outermost first; none for a scalar.</param>
    public TensorShape(params IEnumerable<TensorDimension> dimensions) => _dimensions = [.. dimensions];

    /// <summary>How many dimensions there are.</summary>
    public int Rank => _dimensions.Length;

    /// <summary>The dimensions, outermost first.</summary>
    public IReadOnlyList<TensorDimension> Dimensions => _dimensions;

    /// <summary>One dimension; negative indexes count from the end.</summary>
    public TensorDimension this[int axis] => _dimensions[axis < 0 ? axis + Rank : axis];

    /// <summary>The shape of a tensor type, or null where the type is not a tensor or its rank is not said.</summary>
    /// <remarks>
    /// Sizes of 0 and below stand for "unknown": some exporters write a variable batch that way, and an empty tensor proves nothing.
    /// </remarks>
    public static TensorShape? From(TypeProto? type) =>
        type?.TensorType?.Shape is { } shape
            ? new TensorShape(shape.Dim.Select(TensorDimension.From).Select(size => size.Size <= 0 ? TensorDimension.Unknown : size))
            : null;

    /// <summary>
    /// The shape, where sizes that no tensor has, negative ones and such as only products of absurd claims give, are not known.
    /// </summary>
    public TensorShape WithoutAbsurdSizes() => Array.Exists(_dimensions, IsAbsurd)
        ? new TensorShape(_dimensions.Select(size => IsAbsurd(size) ? TensorDimension.Unknown : size))
        : this;

    private static bool IsAbsurd(TensorDimension size) => size.Size is < 0 or > LargestSize;

    /// <summary>The shape of a constant.</summary>
    public static TensorShape Of(IEnumerable<long> sizes) => new(sizes.Select(size => (TensorDimension)size));

    /// <summary>The shape that two operands broadcast to, or null when they do not fit together.</summary>
    /// <remarks>
    /// Dimensions are aligned at the end; equal ones, or one that is 1, fit. Where a size is not known, the other one is believed.
    /// </remarks>
    public static TensorShape? Broadcast(TensorShape left, TensorShape right)
    {
        var rank = Math.Max(left.Rank, right.Rank);
        var result = new TensorDimension[rank];
        for (var i = 1; i <= rank; i++)
        {
            var a = i <= left.Rank ? left[-i] : 1;
            var b = i <= right.Rank ? right[-i] : 1;
            if (a.Size == 1) result[^i] = b;
            else if (b.Size == 1 || a == b) result[^i] = a;
            else if (a.Size is not null && b.Size is not null) return null;
            // One is a number above one, the other not known: the number wins. Two different symbols leave it open.
            else result[^i] = a.Size is not null ? a : b.Size is not null ? b : TensorDimension.Unknown;
        }

        return new TensorShape(result);
    }

    /// <summary>What is known when two sources describe the same tensor, or null when they contradict each other.</summary>
    public static TensorShape? Merge(TensorShape first, TensorShape second)
    {
        if (first.Rank != second.Rank) return null;
        var result = new TensorDimension[first.Rank];
        for (var i = 0; i < result.Length; i++)
        {
            if (first[i].Size is { } a && second[i].Size is { } b && a != b) return null;
            result[i] = first[i].Size is not null
                ? first[i]
                : second[i].Size is not null ? second[i] : first[i].Symbol is not null ? first[i] : second[i];
        }

        return new TensorShape(result);
    }

    /// <inheritdoc/>
    public override string ToString() => $"[{string.Join(", ", _dimensions)}]";
}
