namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>A part of a <see cref="TensorBuffer{T}"/>, with a shape of its own: what a model's input or output is tied to.</summary>
/// <typeparam name="T">The element type.</typeparam>
internal readonly struct TensorView<T>
    where T : unmanaged
{
    internal TensorView(TensorBuffer<T> buffer, int offset, long[] shape)
    {
        Buffer = buffer;
        Offset = offset;
        Shape = shape;
        long length = 1;
        foreach (var size in shape) length = checked(length * size);
        Length = checked((int)length);
        if (offset < 0 || offset + length > buffer.Length)
            throw new ArgumentOutOfRangeException(
                nameof(shape), $"A view of shape [{string.Join(", ", shape)}] at element {offset} does not fit in a buffer of {buffer.Length} elements.");
    }

    /// <summary>The memory behind the view.</summary>
    public TensorBuffer<T> Buffer { get; }

    /// <summary>The first element's place in the buffer.</summary>
    public int Offset { get; }

    /// <summary>The number of elements.</summary>
    public int Length { get; }

    /// <summary>The elements, row-major.</summary>
    public Span<T> Span => Buffer.Span.Slice(Offset, Length);

    internal long[] Shape { get; }
}
