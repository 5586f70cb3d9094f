using System.Buffers;
using Microsoft.Win32.SafeHandles;

namespace MlNetBatchNorm.Onnx.Files;

/// <summary>
/// The bytes of a file, a piece at a time: a model of some gigabyte is parsed from here into its final arrays with no second copy beside
/// them. To be read once, from front to back.
/// </summary>
internal sealed class FileBuffer : IDisposable
{
    private const int PieceBytes = 1 << 20;

    private readonly SafeFileHandle _file;

    // Whoever crosses from one piece into the next may still look at the last bytes of the one before.
    private readonly byte[][] _buffers;

    // Which place of the file each buffer holds.
    private readonly long[] _held = [-1, -1];

    /// <exception cref="InvalidModelException">The file is larger than a protobuf message can be.</exception>
    public FileBuffer(string path)
    {
        _file = File.OpenHandle(path, options: FileOptions.SequentialScan);
        try
        {
            var length = RandomAccess.GetLength(_file);
            if (length > int.MaxValue)
                throw new InvalidModelException(
                    $"'{path}' has {length} bytes, but an ONNX file ends at 2 GB; what is more lies in external data.");
            _buffers = [new byte[Math.Min(length, PieceBytes)], new byte[Math.Min(length, PieceBytes)]];
            if (length == 0) return;
            var first = new Piece(this, 0, length, null);
            var last = first;
            while (last.End < length) last = new Piece(this, last.End, length, last);
            Bytes = new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    /// <summary>All bytes; valid until this is disposed.</summary>
    public ReadOnlySequence<byte> Bytes { get; }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    // A file that has become shorter since reads as zeros, which is no model.
    private void Read(byte[] buffer, long start, int count)
    {
        var done = 0;
        int read;
        while (done < count && (read = RandomAccess.Read(_file, buffer.AsSpan(done, count - done), start + done)) > 0) done += read;
        buffer.AsSpan(done, count - done).Clear();
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(FileBuffer file, long start, long length, Piece? before)
        {
            var count = (int)Math.Min(PieceBytes, length - start);
            End = start + count;
            RunningIndex = start;
            Memory = new PieceMemory(file, start, count).Whole;
            if (before is not null) before.Next = this;
        }

        public long End { get; }
    }

    // Read when it is looked at.
    private sealed class PieceMemory(FileBuffer file, long start, int count) : MemoryManager<byte>
    {
        public ReadOnlyMemory<byte> Whole => CreateMemory(count);

        public override Span<byte> GetSpan()
        {
            var buffer = file._buffers[start / PieceBytes % 2];
            if (file._held[start / PieceBytes % 2] != start)
            {
                file.Read(buffer, start, count);
                file._held[start / PieceBytes % 2] = start;
            }

            return buffer.AsSpan(0, count);
        }

        public override MemoryHandle Pin(int elementIndex = 0) => throw new NotSupportedException("A piece of a file does not stay.");

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
