using System.Buffers;
using System.Runtime.InteropServices;
using Google.Protobuf;

namespace MlNetBatchNorm.Onnx.Graph;

/// <summary>
/// The elements of a constant that are computed when they are read and forgotten as soon as the garbage collector wants their room: a folded
/// model of a gigabyte is judged and written one weight after the other, beside the one that it was made from.
/// </summary>
/// <param name="length">How many bytes there are.</param>
/// <param name="compute">Computes them: always the same.</param>
internal sealed class LazyBytes(int length, Func<byte[]> compute) : MemoryManager<byte>
{
    /// <summary>From how many bytes on it is worth computing them more than once.</summary>
    public const int Worthwhile = 1 << 20;

    private readonly WeakReference<byte[]> _bytes = new([]);

    /// <summary>All bytes, not computed yet.</summary>
    public ReadOnlyMemory<byte> Whole => CreateMemory(length);

    /// <summary>The elements of a constant in an array, which keeps them while somebody holds it; null where they are in memory anyway.</summary>
    public static byte[]? Hold(ByteString bytes) =>
        MemoryMarshal.TryGetMemoryManager(bytes.Memory, out LazyBytes? lazy) ? lazy!.Compute() : null;

    /// <inheritdoc/>
    public override Span<byte> GetSpan() => Compute();

    /// <inheritdoc/>
    public override MemoryHandle Pin(int elementIndex = 0) => Compute().AsMemory(elementIndex).Pin();

    /// <inheritdoc/>
    public override void Unpin()
    {
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
    }

    private byte[] Compute()
    {
        lock (_bytes)
        {
            if (_bytes.TryGetTarget(out var known) && known.Length == length) return known;
            var computed = compute();
            _bytes.SetTarget(computed);
            return computed;
        }
    }
}
