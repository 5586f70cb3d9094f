using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Onnx.Execution.Memory;

/// <summary>
/// A block of memory, aligned for vector instructions, that a model reads from or writes to without a copy. Several views of different
/// shapes can lie over one block (a full batch and a shorter last one).
/// </summary>
/// <typeparam name="T">
/// <c>float</c>, <c>double</c>, <c>bool</c>, or an integer of 8, 16, 32 or 64 bits, with or without sign.
/// </typeparam>
internal sealed unsafe class TensorBuffer<T> : IDisposable
    where T : unmanaged
{
    private const int Alignment = 64;

    private readonly long[] _shape;
    private readonly long _bytes;
    private readonly OrtMemoryInfo _place = OrtMemoryInfo.DefaultInstance;
    private readonly OrtMemoryAllocation? _pinned;
    private T* _data;

    /// <summary>Allocates a block, filled with zeros.</summary>
    /// <param name="shape">The shape of the whole block; empty for a scalar.</param>
    /// <exception cref="ArgumentOutOfRangeException">A negative dimension, or more than 2^31 elements.</exception>
    public TensorBuffer(params long[] shape)
        : this(null, shape)
    {
    }

    // In memory that a device reads and writes by itself, if there is some.
    internal TensorBuffer(PinnedMemory? pinned, long[] shape)
    {
        long length = 1;
        foreach (var size in shape)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(size, nameof(shape));
            length = checked(length * size);
        }

        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, int.MaxValue, nameof(shape));
        _shape = [.. shape];
        Length = (int)length;

        // Whole cache lines: two buffers that two threads write to never share one.
        var bytes = (nuint)Math.Max((length * sizeof(T) + Alignment - 1) / Alignment * Alignment, Alignment);
        _bytes = (long)bytes;
        _pinned = pinned?.TryAllocate(_bytes);
        if (_pinned is not null) _place = pinned!.Info;
        _data = _pinned is null ? (T*)NativeMemory.AlignedAlloc(bytes, Alignment) : (T*)_pinned.DangerousGetHandle();
        NativeMemory.Clear(_data, bytes);
        GC.AddMemoryPressure(_bytes);
    }

    /// <summary>Frees the block if <see cref="Dispose"/> was forgotten.</summary>
    ~TensorBuffer() => Free();

    /// <summary>The number of elements.</summary>
    public int Length { get; }

    /// <summary>The shape of the whole block.</summary>
    public IReadOnlyList<long> Shape => _shape;

    /// <summary>The elements, row-major.</summary>
    /// <exception cref="ObjectDisposedException">The block has been freed.</exception>
    public Span<T> Span
    {
        get
        {
            ObjectDisposedException.ThrowIf(_data is null, this);
            return new Span<T>(_data, Length);
        }
    }

    /// <summary>Frees the block. No run that it is bound to may be started afterwards.</summary>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    /// <summary>The whole block.</summary>
    internal TensorView<T> Whole => new(this, 0, _shape);

    /// <summary>The first <paramref name="count"/> entries along the first axis.</summary>
    internal TensorView<T> Rows(int count) => new(this, 0, [count, .. _shape.AsSpan(1)]);

    /// <summary>A tensor of another shape that starts at element <paramref name="offset"/>.</summary>
    internal TensorView<T> At(int offset, params long[] shape) => new(this, offset, shape);

    /// <summary>Whether it lies in page-locked memory, from which a device copies without a detour.</summary>
    public bool IsPinned => _pinned is not null;

    /// <summary>A view as ONNX Runtime sees it; the caller disposes it.</summary>
    internal OrtValue ToOrtValue(TensorView<T> view) => ToOrtValue(ElementType, view.Shape, view.Offset, (long)view.Length * sizeof(T));

    /// <summary>The beginning of the block as a tensor of any element type; the caller disposes it.</summary>
    internal OrtValue ToOrtValue(TensorElementType type, long[] shape, int offset = 0, long? bytes = null)
    {
        ObjectDisposedException.ThrowIf(_data is null, this);
        return OrtValue.CreateTensorValueWithData(_place, type, shape, (nint)(_data + offset), bytes ?? _bytes);
    }

    internal static TensorElementType ElementType => ElementTypes.OfNumbers(typeof(T)).Runtime;

    private void Free()
    {
        if (_data is null) return;
        if (_pinned is null) NativeMemory.AlignedFree(_data);
        else _pinned.Dispose();
        _data = null;
        GC.RemoveMemoryPressure(_bytes);
    }
}

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
                nameof(shape),
                $"A view of shape [{string.Join(", ", shape)}] at element {offset} does not fit in a buffer of {buffer.Length} elements.");
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

/// <summary>
/// A tensor of texts that a model reads from or writes to. The texts live in native memory: each one in or out is a copy.
/// </summary>
internal sealed class TextBuffer : IDisposable
{
    /// <summary>Makes a tensor of empty texts.</summary>
    /// <param name="shape">Its shape; empty for a scalar.</param>
    public TextBuffer(params long[] shape)
    {
        Shape = [.. shape];
        Length = checked((int)shape.Aggregate(1L, (product, size) => product * size));
        Value = OrtValue.CreateTensorWithEmptyStrings(OrtAllocator.DefaultInstance, shape);
    }

    /// <summary>The number of texts.</summary>
    public int Length { get; }

    /// <summary>The shape.</summary>
    public IReadOnlyList<long> Shape { get; }

    internal OrtValue Value { get; }

    /// <summary>Sets a text.</summary>
    public void Set(int index, ReadOnlySpan<char> text) => Value.StringTensorSetElementAt(text, index);

    /// <summary>Reads a text.</summary>
    public string Get(int index) => Value.GetStringElement(index);

    /// <inheritdoc/>
    public void Dispose() => Value.Dispose();
}
