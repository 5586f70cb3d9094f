using MlNetBatchNorm.Onnx.Files;

namespace MlNetBatchNorm.Onnx.Tests.Files;

/// <summary>
/// A file system that fails: at one of its steps (making a file, each single write, flushing, renaming), counted from the first, and at all
/// after it; or once so many bytes are written, as a disk that is full.
/// </summary>
internal sealed class FailingLayer(long failAt = long.MaxValue, long room = long.MaxValue) : FileLayer
{
    private long _steps;
    private long _left = room;

    /// <summary>The steps that were asked for.</summary>
    public long Steps => _steps;

    public override FileStream Create(string path, bool isPrivate)
    {
        Step();
        return base.Create(path, isPrivate);
    }

    public override Stream Contents(FileStream file) => new Counted(this, file);

    public override void Flush(FileStream file)
    {
        Step();
        base.Flush(file);
    }

    public override void Move(string from, string to)
    {
        Step();
        base.Move(from, to);
    }

    private void Step()
    {
        if (++_steps >= failAt) throw new IOException("Input/output error");
    }

    private sealed class Counted(FailingLayer layer, Stream file) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => file.CanSeek;

        public override bool CanWrite => true;

        public override long Length => file.Length;

        public override long Position
        {
            get => file.Position;
            set => file.Position = value;
        }

        // Half of what does not fit is there all the same, as on a real disk.
        public override void Write(ReadOnlySpan<byte> buffer)
        {
            var fits = (int)Math.Min(buffer.Length, layer._left);
            layer._left -= fits;
            file.Write(buffer[..fits]);
            if (fits < buffer.Length) throw new IOException("No space left on device");
            layer.Step();
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush() => file.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => file.Seek(offset, origin);

        public override void SetLength(long value) => file.SetLength(value);
    }
}
