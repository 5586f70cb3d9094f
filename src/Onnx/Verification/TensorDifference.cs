using MlNetBatchNorm.Onnx.Execution;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>How far two tensors differ.</summary>
internal static class TensorDifference
{
    /// <summary>The largest |a − b|, and the same divided by the largest finite magnitude of the first tensor (undivided when that is 0).</summary>
    public static (double Absolute, double Relative) Of(HostTensor expected, HostTensor actual)
    {
        if (expected.Type != actual.Type || !expected.Shape.AsSpan().SequenceEqual(actual.Shape))
            return (double.PositiveInfinity, double.PositiveInfinity);
        if (expected.Data is string[] texts)
        {
            var same = texts.AsSpan().SequenceEqual((string[])actual.Data);
            return same ? (0, 0) : (double.PositiveInfinity, double.PositiveInfinity);
        }

        double largest = 0, scale = 0;
        for (var i = 0; i < expected.Data.Length; i++)
        {
            var (a, b) = (Element(expected, i), Element(actual, i));
            // Two infinities of the same sign, or two NaN, agree.
            var difference = a.Equals(b) ? 0 : double.IsNaN(a - b) ? double.PositiveInfinity : Math.Abs(a - b);
            largest = Math.Max(largest, difference);
            if (double.IsFinite(a)) scale = Math.Max(scale, Math.Abs(a));
        }

        return (largest, scale > 0 ? largest / scale : largest);
    }

    /// <summary>How many elements are not the same; all where type or shape is another.</summary>
    public static long Count(HostTensor expected, HostTensor actual)
    {
        if (expected.Type != actual.Type || !expected.Shape.AsSpan().SequenceEqual(actual.Shape)) return expected.Data.Length;
        return Enumerable.Range(0, expected.Data.Length).LongCount(i => !Equals(expected.Data.GetValue(i), actual.Data.GetValue(i)));
    }

    /// <summary>One element as a number.</summary>
    public static double Element(HostTensor tensor, int index) => tensor.Data switch
    {
        float[] values => values[index],
        double[] values => values[index],
        long[] values => values[index],
        int[] values => values[index],
        short[] values => values[index],
        sbyte[] values => values[index],
        ulong[] values => values[index],
        uint[] values => values[index],
        byte[] values => values[index],
        bool[] values => values[index] ? 1 : 0,
        ushort[] values when tensor.Type == DataType.Float16 => (double)BitConverter.UInt16BitsToHalf(values[index]),
        ushort[] values when tensor.Type == DataType.Bfloat16 => BitConverter.UInt32BitsToSingle((uint)values[index] << 16),
        ushort[] values => values[index],
        _ => throw new NotSupportedException($"Outputs of type {tensor.Type} cannot be compared."),
    };
}
