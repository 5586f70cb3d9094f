using Google.Protobuf;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>
/// A weight <c>[K, N]</c> in 8 bits: <c>w ≈ q·s</c> with a scale s for each of the N columns (an output channel) and q from −64 to 64.
/// </summary>
/// <remarks>
/// Why not to 127: CPUs with AVX2 or AVX-512 but without VNNI add two products of uint8 × int8 in 16 bits, which end at 32767. 2 · 255 · 64
/// = 32640 fits; with 127 the sum is cut off without a word (ONNX Runtime's documentation calls it reduced range). The model cannot know
/// where it will run.
/// </remarks>
internal sealed class Int8Weights
{
    /// <summary>The largest |q|.</summary>
    public const int Limit = 64;

    /// <summary>The most rows whose sum of products is sure to fit into the 32 bits of the accumulator.</summary>
    public const int MostRows = int.MaxValue / (255 * Limit);

    private readonly byte[] _elements;

    private Int8Weights(int rows, int columns)
    {
        (Rows, Columns) = (rows, columns);
        _elements = new byte[checked(rows * columns)];
        Scales = new float[columns];
    }

    public int Rows { get; }

    public int Columns { get; }

    /// <summary>s, for each column.</summary>
    public float[] Scales { get; }

    /// <summary>Quantizes a weight: <c>s = max|w| / 64</c>, <c>q = round(w / s)</c>, ties to even.</summary>
    /// <param name="weights">The weight; <c>[N, K]</c> when <paramref name="isTransposed"/>.</param>
    /// <param name="isTransposed">Whether columns are the first axis.</param>
    /// <param name="rowFactors">Factors of the rows, multiplied in first; null = none.</param>
    public static Int8Weights Of(RealTensor weights, bool isTransposed, double[]? rowFactors = null)
    {
        var (rowAxis, columnAxis) = isTransposed ? (1, 0) : (0, 1);
        var result = new Int8Weights((int)weights.Shape[rowAxis], (int)weights.Shape[columnAxis]);
        var scaled = rowFactors is null ? weights : weights.ScaledAlong(rowAxis, rowFactors);
        var largest = scaled.LargestAlong(columnAxis);
        for (var column = 0; column < largest.Length; column++) result.Scales[column] = (float)(largest[column] / Limit);
        var inner = isTransposed ? result.Rows : result.Columns;
        scaled.Visit((start, chunk) =>
        {
            for (var i = 0; i < chunk.Length; i++)
            {
                var (first, second) = Math.DivRem(start + i, inner);
                var (row, column) = isTransposed ? (second, first) : (first, second);
                // A scale of 0 belongs to a column of zeros, or of numbers that are none in float32 either.
                var scale = result.Scales[column];
                var quantized = scale == 0 ? 0 : (int)Math.Clamp(Math.Round(chunk[i] / scale), -Limit, Limit);
                result._elements[(row * result.Columns) + column] = unchecked((byte)(sbyte)quantized);
            }
        });
        return result;
    }

    /// <summary>q as a constant <c>[K, N]</c>.</summary>
    public TensorProto ToProto(string name) => new()
    {
        Name = name,
        DataType = (int)DataType.Int8,
        Dims = { Rows, Columns },
        RawData = UnsafeByteOperations.UnsafeWrap(_elements),
    };
}
