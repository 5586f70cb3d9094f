using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>Small constants under ONNX's rule of broadcasting: dimensions are aligned at the last one, and a 1 is repeated.</summary>
internal static class Broadcasting
{
    // A result of more elements may not have many more than what it is made of.
    private const long FreeCount = 1 << 16;
    private const long LargestGrowth = 16;

    /// <summary>
    /// Combines two constants element by element; the result has the type of the first. Null when the shapes do not fit, or would be
    /// multiplied out to many times their size.
    /// </summary>
    public static RealTensor? Combine(RealTensor left, RealTensor right, Func<double, double, double> combine)
    {
        var rank = Math.Max(left.Rank, right.Rank);
        var shape = new long[rank];
        long count = 1;
        for (var axis = 0; axis < rank; axis++)
        {
            var (a, b) = (SizeAt(left, axis, rank), SizeAt(right, axis, rank));
            if (a != b && a != 1 && b != 1) return null;
            count *= shape[axis] = a == 1 ? b : a;
            if (count > FreeCount && count / LargestGrowth > (long)left.Count + right.Count) return null;
        }

        var (from, with, result) = (left.ToArray(), right.ToArray(), new double[count]);
        for (var i = 0; i < result.Length; i++) result[i] = combine(from[Position(left, shape, i)], with[Position(right, shape, i)]);
        return RealTensor.Of(left.Type, result, shape);
    }

    /// <summary>
    /// A map applied to a constant that is broadcast to a tensor of <paramref name="rank"/> dimensions, on whose axes the map lies; null
    /// when that would be many times as large.
    /// </summary>
    public static RealTensor? Apply(ChannelMap map, RealTensor constant, int rank)
    {
        var shape = OnAxis(map, rank);
        var scaled = Combine(constant, RealTensor.Of(constant.Type, map.Scale, shape), static (a, b) => a * b);
        return scaled is null ? null : Combine(scaled, RealTensor.Of(constant.Type, map.Shift, shape), static (a, b) => a + b);
    }

    /// <summary>
    /// Whether a constant, broadcast to a tensor of <paramref name="rank"/> dimensions, can take in a map on that tensor.
    /// </summary>
    public static bool Fits(ChannelMap map, RealTensor constant, int rank) =>
        constant.Rank <= rank && (map.IsUniform || SizeAt(constant, map.Axis, rank) is var size && (size == 1 || size == map.Count));

    /// <summary>The shape of a vector along the map's axis of a tensor of <paramref name="rank"/> dimensions: [C, 1, …, 1].</summary>
    public static long[] OnAxis(ChannelMap map, int rank)
    {
        if (map.IsUniform) return [];
        var shape = new long[rank - map.Axis];
        Array.Fill(shape, 1);
        shape[0] = map.Count;
        return shape;
    }

    private static long SizeAt(RealTensor tensor, int axis, int rank) =>
        axis < rank - tensor.Rank ? 1 : tensor.Shape[axis - (rank - tensor.Rank)];

    private static int Position(RealTensor tensor, long[] shape, int index)
    {
        var (rest, position, stride) = ((long)index, 0L, 1L);
        for (var axis = shape.Length - 1; axis >= shape.Length - tensor.Rank; axis--)
        {
            var size = tensor.Shape[axis - (shape.Length - tensor.Rank)];
            if (size != 1) position += rest % shape[axis] * stride;
            stride *= size;
            rest /= shape[axis];
        }

        return (int)position;
    }
}
