using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>How far two tensors differ.</summary>
internal static class TensorDifference
{
    /// <summary>
    /// The largest |a − b|, and the same divided by the largest finite magnitude of the first tensor (undivided when that is 0).
    /// </summary>
    public static (double Absolute, double Relative) Of(HostTensor expected, HostTensor actual)
    {
        if (expected.Type != actual.Type || !expected.Shape.AsSpan().SequenceEqual(actual.Shape))
            return (double.PositiveInfinity, double.PositiveInfinity);
        if (expected.Data is string[] texts)
        {
            var same = texts.AsSpan().SequenceEqual((string[])actual.Data);
            return same ? (0, 0) : (double.PositiveInfinity, double.PositiveInfinity);
        }

        var (left, right) = (Elements(expected), Elements(actual));
        double largest = 0, scale = 0;
        for (var i = 0; i < left.Length; i++)
        {
            var (a, b) = (left[i], right[i]);
            // Two infinities of the same sign, or two NaN, agree.
            var difference = a.Equals(b) ? 0 : double.IsNaN(a - b) ? double.PositiveInfinity : Math.Abs(a - b);
            largest = Math.Max(largest, difference);
            if (double.IsFinite(a)) scale = Math.Max(scale, Math.Abs(a));
        }

        return (largest, scale > 0 ? largest / scale : largest);
    }

    /// <summary>
    /// Whether answers agree with any others that say as little: all that could be real numbers are NaN or infinite. Whole numbers that go
    /// with them (the class of the largest of several NaN) prove nothing either.
    /// </summary>
    public static bool SaysNothing(IEnumerable<HostTensor> outputs)
    {
        var real = outputs.Where(tensor => tensor.Data.Length > 0 && ElementTypes.Find(tensor.Type) is { IsReal: true }).ToList();
        return real.Count > 0 && real.TrueForAll(tensor => Array.TrueForAll(Elements(tensor), value => !double.IsFinite(value)));
    }

    /// <summary>How many elements are not the same; all where type or shape is another.</summary>
    public static long Count(HostTensor expected, HostTensor actual)
    {
        if (expected.Type != actual.Type || !expected.Shape.AsSpan().SequenceEqual(actual.Shape)) return expected.Data.Length;
        return Enumerable.Range(0, expected.Data.Length).LongCount(i => !Equals(expected.Data.GetValue(i), actual.Data.GetValue(i)));
    }

    /// <summary>One element as a number.</summary>
    public static double Element(HostTensor tensor, int index) => TypeOf(tensor).ToDouble(tensor.Data, index);

    private static double[] Elements(HostTensor tensor) => TypeOf(tensor).ToDoubles(tensor.Data);

    private static ElementType TypeOf(HostTensor tensor) => ElementTypes.Find(tensor.Type) is { Clr: not null } type
        ? type
        : throw new NotSupportedException($"Outputs of type {tensor.Type} cannot be compared.");
}
