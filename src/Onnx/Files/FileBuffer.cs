using System.Buffers;
using System.Runtime.InteropServices;

namespace MlNetBatchNorm.Onnx.Files;

/// <summary>
/// The bytes of a file outside of the garbage collector's heap, given back at once: a model of some hundred megabytes is parsed from here
/// into its final arrays, with no second copy left behind for a collection that may come late.
/// </summary>
internal sealed unsafe class FileBuffer : MemoryManager<byte>
{
    private readonly int _length;
    private byte* _bytes;

    /// <exception cref="InvalidModelException">The file is larger than a protobuf message can be.</exception>
    public FileBuffer(string path)
    {
        using var file = File.OpenHandle(path, options: FileOptions.SequentialScan);
        var length = RandomAccess.GetLength(file);
        if (length > int.MaxValue)
            throw new InvalidModelException(
                $"'{path}' has {length} bytes, but an ONNX file ends at 2 GB; what is more lies in external data.");
        _bytes = (byte*)NativeMemory.Alloc((nuint)Math.Max(length, 1));
        try
        {
            int read;
            while (_length < length
                && (read = RandomAccess.Read(file, new Span<byte>(_bytes + _length, (int)length - _length), _length)) > 0)
            {
                _length += read;
            }
        }
        catch
        {
            Dispose(true);
            throw;
        }
    }

    /// <summary>All bytes; valid until this is disposed.</summary>
    public ReadOnlySequence<byte> Bytes => new(Memory[.._length]);

    public override Span<byte> GetSpan() => new(_bytes, _length);

    // Native memory does not move: there is nothing to pin.
    public override MemoryHandle Pin(int elementIndex = 0) => new(_bytes + elementIndex);

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
        NativeMemory.Free(_bytes);
        _bytes = null;
    }
}
