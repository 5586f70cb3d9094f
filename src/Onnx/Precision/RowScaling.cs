using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>
/// A weight whose slices along one axis are divided by powers of two, so that the largest magnitude of each lies from 1 to 2. Powers of two cost no
/// digits, neither here nor where they are multiplied back.
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
            if (!Array.TrueForAll(largest, value => value == 0 || (double.IsFinite(value) && Math.Abs(Math.ILogB(value)) <= 120))) return null;
            var factors = Array.ConvertAll(largest, value => value == 0 ? 1 : Math.ScaleB(1, Math.ILogB(value)));
            var scaled = weight.ScaledAlong(axis, Array.ConvertAll(factors, factor => 1 / factor));
            if (Float16Range.WhyNot(scaled) is null) return new RowScaling(axis, scaled, factors);
        }

        return null;
    }

    /// <summary>The powers of two, in a shape that broadcasts to the weight's.</summary>
    public TensorProto ToProto(string name) => TensorData.FromDoubles(name, DataType.Float, _factors, _shape);
}
