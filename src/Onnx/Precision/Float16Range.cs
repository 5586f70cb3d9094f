using System.Globalization;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>Which constants keep their meaning in float16: eleven significant bits from 2⁻¹⁴ to 65504.</summary>
internal static class Float16Range
{
    /// <summary>The largest number.</summary>
    public const double Largest = 65504;

    /// <summary>
    /// The smallest number with all eleven bits, 2⁻¹⁴ ≈ 6.1e-5; below it digits are lost one by one until 6e-8, and then everything.
    /// </summary>
    public const double SmallestNormal = 1.0 / (1 << 14);

    /// <summary>Why a constant must stay float32, or null when it need not.</summary>
    public static string? WhyNot(RealTensor tensor)
    {
        var largest = tensor.Largest();
        if (!double.IsFinite(largest)) return "it holds numbers that are not finite";
        if (largest > Largest) return string.Create(CultureInfo.InvariantCulture, $"it holds {largest:G3}, and float16 ends at {Largest}");
        // The elements of a vector are no slices: one bias may well be near zero.
        if (tensor.Shape.Count(size => size > 1) < 2) return largest is > 0 and < SmallestNormal ? TooSmall(largest, "it") : null;

        // A slice is what belongs to one feature, one unit, one channel. Where all of it is tiny, something large is multiplied with it (a
        // feature in millions, say), and its digits count.
        for (var axis = 0; axis < tensor.Rank; axis++)
        {
            var slices = tensor.LargestAlong(axis);
            var tiny = Array.FindIndex(slices, slice => slice is > 0 and < SmallestNormal);
            if (tiny >= 0) return TooSmall(slices[tiny], $"entry {tiny} of its axis {axis}");
        }

        return null;
    }

    /// <summary>A constant in float16, each element rounded once.</summary>
    public static TensorProto Convert(RealTensor tensor, string name) => tensor.As(DataType.Float16).ToProto(name);

    private static string TooSmall(double largest, string what) =>
        string.Create(CultureInfo.InvariantCulture, $"{what} has nothing above {largest:G3}, where float16 loses digits");
}

/// <summary>
/// A weight whose slices along one axis are divided by powers of two, so that the largest magnitude of each lies from 1 to 2. Powers of two
/// cost no digits, neither here nor where they are multiplied back.
/// </summary>
internal sealed class RowScaling
{
    private readonly double[] _factors;
    private readonly long[] _shape;

    private RowScaling(int axis, RealTensor scaled, double[] factors)
    {
        (Axis, Scaled, _factors) = (axis, scaled, factors);
        _shape = [.. scaled.Shape.Select((size, index) => index == axis ? size : 1)];
    }

    public int Axis { get; }

    /// <summary>The weight, divided.</summary>
    public RealTensor Scaled { get; }

    /// <summary>The first axis along which the weight fits into float16 when it is divided so; null when none does.</summary>
    public static RowScaling? Find(RealTensor weight)
    {
        for (var axis = 0; axis < weight.Rank; axis++)
        {
            var largest = weight.LargestAlong(axis);
            // Factors must be float32 numbers themselves.
            if (!Array.TrueForAll(largest, value => value == 0 || (double.IsFinite(value) && Math.Abs(Math.ILogB(value)) <= 120)))
                return null;
            var factors = Array.ConvertAll(largest, value => value == 0 ? 1 : Math.ScaleB(1, Math.ILogB(value)));
            var scaled = weight.ScaledAlong(axis, Array.ConvertAll(factors, factor => 1 / factor));
            if (Float16Range.WhyNot(scaled) is null) return new RowScaling(axis, scaled, factors);
        }

        return null;
    }

    /// <summary>The powers of two, in a shape that broadcasts to the weight's.</summary>
    public TensorProto ToProto(string name) => TensorData.FromDoubles(name, DataType.Float, _factors, _shape);
}
