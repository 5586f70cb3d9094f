using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>A tensor of float64, whatever its type in the model; integers are numbers too.</summary>
/// <param name="shape">The shape.</param>
/// <param name="data">The elements; null where <see cref="Read"/> is overridden.</param>
internal class ExactTensor(int[] shape, double[]? data)
{
    private double[]? _data = data;

    public int[] Shape => shape;

    public int Rank => shape.Length;

    public int Count { get; } = shape.Contains(0)
        ? 0
        : checked((int)shape.Aggregate(1L, (product, size) => product * size));

    /// <summary>All elements.</summary>
    public double[] Data => _data ??= ReadAll();

    /// <summary>The elements of a list of sizes or axes.</summary>
    public int[] Integers => Array.ConvertAll(Data, value => checked((int)Math.Clamp(value, int.MinValue, int.MaxValue)));

    /// <summary>Some elements, which need not be held all at once.</summary>
    public virtual void Read(int start, Span<double> into) => Data.AsSpan(start, into.Length).CopyTo(into);

    /// <summary>The product of the sizes of the axes from <paramref name="start"/> to before <paramref name="end"/>.</summary>
    public int Product(int start, int end)
    {
        var product = 1;
        for (var i = start; i < end; i++) product *= shape[i];
        return product;
    }

    /// <summary>An axis that may be counted from the end.</summary>
    public int Axis(long axis) => checked((int)(axis < 0 ? axis + Rank : axis));

    /// <summary>Room for elements.</summary>
    /// <exception cref="NotSupportedException">There are more than a part should need: declared sizes are anybody's claim.</exception>
    public static double[] Room(long count)
    {
        const long most = 1 << 25;
        return count <= most ? new double[count] : throw new NotSupportedException($"{count:N0} numbers are too many to compute here.");
    }

    private double[] ReadAll()
    {
        var all = Room(Count);
        Read(0, all);
        return all;
    }
}

/// <summary>A constant of a model, read from where it lies: a weight of a hundred megabytes has no copy.</summary>
internal sealed class StoredWeight : ExactTensor
{
    private readonly TensorProto _tensor;
    private readonly ElementType _type;
    private readonly LazyBytes? _lazy;

    public StoredWeight(TensorProto tensor)
        : base([.. tensor.Dims.Select(size => checked((int)size))], tensor.RawData.Length > 0 ? null : All(tensor))
    {
        (_tensor, _type, _lazy) = (tensor, ElementTypes.Of((DataType)tensor.DataType), LazyBytes.Behind(tensor.RawData));
    }

    public override void Read(int start, Span<double> into)
    {
        if (_lazy is not null) _lazy.Read(start, into);
        else if (_tensor.RawData.Length > 0) _type.Read(_tensor, start, into);
        else base.Read(start, into);
    }

    // What is stored number by number is found only from the start.
    private static double[] All(TensorProto tensor)
    {
        var type = ElementTypes.Of((DataType)tensor.DataType);
        return type.ToDoubles(type.Read(tensor));
    }
}

/// <summary>
/// A tensor twice: as it is without any rounding, and as it is when every node rounds what it gives to the type that the model says. The
/// distance between both is what rounding costs.
/// </summary>
/// <param name="Type">The type in the model.</param>
/// <param name="Exact">Without rounding, but for what is stored in the model.</param>
/// <param name="Rounded">With it; the same object where nothing was lost so far.</param>
internal sealed record PartTensor(DataType Type, ExactTensor Exact, ExactTensor Rounded)
{
    public static PartTensor Of(DataType type, ExactTensor tensor) => new(type, tensor, tensor);

    /// <summary>Each element as the nearest number of a type; the same array where all are.</summary>
    public static double[] Round(DataType type, double[] values)
    {
        if (ElementTypes.Find(type) is not { Clr: not null, Bits: not null } elements || type == DataType.Double) return values;
        const int atOnce = 256;
        Span<byte> bytes = stackalloc byte[atOnce * sizeof(double)];
        Span<double> some = stackalloc double[atOnce];
        double[]? rounded = null;
        for (var start = 0; start < values.Length; start += atOnce)
        {
            var part = values.AsSpan(start, Math.Min(atOnce, values.Length - start));
            var read = some[..part.Length];
            elements.Write(part, bytes);
            elements.Read(bytes, read);
            if (rounded is null && !read.SequenceEqual(part))
            {
                rounded = new double[values.Length];
                values.AsSpan(0, start).CopyTo(rounded);
            }

            if (rounded is not null) read.CopyTo(rounded.AsSpan(start));
        }

        return rounded ?? values;
    }
}
