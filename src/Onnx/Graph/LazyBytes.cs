using System.Buffers;
using System.Runtime.InteropServices;
using Google.Protobuf;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// The elements of a constant, computed each time that they are read and held by nobody: a folded model of a gigabyte is judged and written
/// one weight after the other, beside the one that it was made from.
/// </summary>
/// <param name="tensor">The constant.</param>
internal sealed class LazyBytes(RealTensor tensor) : MemoryManager<byte>
{
    /// <summary>From how many bytes on it is worth computing them more than once.</summary>
    public const int Worthwhile = 1 << 20;

    [ThreadStatic]
    private static byte[]? _shared;

    private readonly ElementType _type = ElementTypes.Of(tensor.Type);
    private readonly int _length = checked((int)tensor.WrittenBytes);

    /// <summary>All bytes, not computed yet.</summary>
    public ReadOnlyMemory<byte> Whole => CreateMemory(_length);

    /// <summary>What is behind the elements of a constant; null where they are in memory.</summary>
    public static LazyBytes? Behind(ByteString bytes) =>
        MemoryMarshal.TryGetMemoryManager<byte, LazyBytes>(bytes.Memory, out var lazy) ? lazy : null;

    /// <summary>Does something that looks at one constant after the other, never at two, on this thread: they share one buffer.</summary>
    public static void OneAfterAnother(Action action)
    {
        if (_shared is not null)
        {
            action();
            return;
        }

        _shared = [];
        try
        {
            action();
        }
        finally
        {
            _shared = null;
        }
    }

    /// <summary>Elements from <paramref name="start"/> on, as they are once they are written, in float64.</summary>
    public void Read(int start, Span<double> into)
    {
        var size = _type.Bits!.Value / 8;
        var bytes = ArrayPool<byte>.Shared.Rent(into.Length * size);
        tensor.Read(start, into);
        _type.Write(into, bytes);
        _type.Read(bytes.AsSpan(0, into.Length * size), into);
        ArrayPool<byte>.Shared.Return(bytes);
    }

    /// <inheritdoc/>
    public override Span<byte> GetSpan()
    {
        var bytes = _shared is null ? GC.AllocateUninitializedArray<byte>(_length)
            : _shared.Length >= _length ? _shared
            : _shared = GC.AllocateUninitializedArray<byte>(_length);
        tensor.Write(bytes.AsSpan(0, _length));
        return bytes.AsSpan(0, _length);
    }

    /// <inheritdoc/>
    public override MemoryHandle Pin(int elementIndex = 0) => GetSpan().ToArray().AsMemory(elementIndex).Pin();

    /// <inheritdoc/>
    public override void Unpin()
    {
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
    }
}
