using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using System.Text.Unicode;
using CsvHelper;
using Microsoft.Win32.SafeHandles;

namespace MlNetBatchNorm.Cli.Tables;

/// <summary>
/// The bytes of a table, which may be read more than once: a file, of whatever size, that stays open; a pipe, what gzip has packed, or rows
/// from elsewhere, by way of a temporary file; or memory.
/// </summary>
internal sealed class CsvSource
{
    /// <summary>What stands for stdin in the place of a file.</summary>
    public const string Standard = "-";

    private readonly SafeFileHandle? _file;
    private readonly byte[] _content;

    // What follows the header: all, or a part.
    private readonly long _header;
    private readonly long _skipped;
    private bool _isChecked;
    private long _reached;

    private CsvSource(string name, SafeFileHandle? file, byte[] content)
    {
        Name = name;
        _file = file;
        _content = content;
        Length = file is null ? content.Length : RandomAccess.GetLength(file);
    }

    private CsvSource(CsvSource whole, long header, long from, long to, int skippedLines)
    {
        (Name, _file, _content, _isChecked) = (whole.Name, whole._file, whole._content, whole._isChecked);
        (_header, _skipped, SkippedLines, Length) = (header, from - header, skippedLines, header + to - from);
        Encoding = whole.Encoding;
    }

    /// <summary>What messages call it.</summary>
    public string Name { get; }

    /// <summary>The number of bytes.</summary>
    public long Length { get; }

    /// <summary>The lines between the header and the first row, of which a part has skipped some.</summary>
    public int SkippedLines { get; }

    /// <summary>How far whoever read last has come, from 0 for each who begins anew.</summary>
    public long Position => Volatile.Read(ref _reached);

    /// <summary>Null where the reader of the text finds out by itself: UTF-8, and all that a byte order mark announces.</summary>
    public Encoding? Encoding { get; private set; }

    /// <summary>What whoever gave the table should know of how it was read; null = nothing.</summary>
    public string? Note { get; init; }

    /// <summary>Opens a table: a file of CSV, packed by gzip or not, or of Parquet; or all files that a pattern stands for.</summary>
    /// <param name="path">The file; <see cref="Standard"/> = stdin. Where there is none of that name, a pattern with * and ?.</param>
    /// <exception cref="TableException">There is none, or it cannot be read.</exception>
    public static CsvSource OfFile(string path)
    {
        var files = JoinedTables.Expand(path);
        if (files.Count > 1) return JoinedTables.Open(files);
        path = files[0];
        var name = path == Standard ? "stdin" : path;
        try
        {
            using var stream = path == Standard
                ? Console.OpenStandardInput()
                : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1);
            var file = stream.CanSeek ? File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete) : Copy(stream);
            if (ParquetTable.IsParquet(file)) return ParquetTable.Open(name, file);
            if (!IsPacked(file)) return new CsvSource(name, file, []);
            var length = PackedLength(file);
            using var packed = new FileStream(file, FileAccess.Read);
            var unpacked = Copy(new GZipStream(packed, CompressionMode.Decompress));
            if ((uint)RandomAccess.GetLength(unpacked) == length) return new CsvSource(name, unpacked, []);
            unpacked.Dispose();
            throw new InvalidDataException("it is cut off, or made of several such files; unpack it first (gzip -d).");
        }
        catch (InvalidDataException e)
        {
            throw new TableException($"{name}: begins as gzip does and cannot be unpacked: {e.Message}", e);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new TableException($"{path}: there is no such file.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var reason = Directory.Exists(path) ? "this is a folder, not a file." : e.Message;
            throw new TableException($"{path}: cannot be read: {reason}", e);
        }
    }

    /// <summary>Takes a table that is in memory.</summary>
    public static CsvSource OfText(string name, byte[] content) => new(name, null, content);

    /// <summary>Takes rows from elsewhere, by way of a temporary file.</summary>
    /// <param name="name">What messages call them.</param>
    /// <param name="write">Writes header and rows.</param>
    /// <param name="separator">What stands between fields.</param>
    /// <param name="note">What is to be said of them; null = nothing.</param>
    public static CsvSource OfRows(string name, Action<CsvWriter> write, char separator = ',', string? note = null)
    {
        var file = Temporary(stream =>
        {
            using var csv = CsvWriter.Create(stream, new CsvWriterOptions { Separator = separator }, leaveOpen: true);
            write(csv);
        });
        return new CsvSource(name, file, []) { Note = note };
    }

    /// <summary>A table with the same header and a part of the rows.</summary>
    /// <param name="header">Where the header ends.</param>
    /// <param name="from">Where the part begins: with a row.</param>
    /// <param name="to">Where it ends: where a row begins, or the file ends.</param>
    /// <param name="skippedLines">The lines in front of it, behind the header.</param>
    public CsvSource Part(long header, long from, long to, int skippedLines) => new(this, header, from, to, skippedLines);

    /// <summary>Reads from the start. What is read is looked at on the way, unless that has been done before.</summary>
    /// <remarks>Reading throws a <see cref="TableException"/> for what is no text, and for what is no UTF-8 a
    /// <see cref="NotUtf8Exception"/>: then it is to be opened again.</remarks>
    public Stream Open() => new Reading(this);

    /// <summary>Looks at all of it, for those who cannot begin again.</summary>
    /// <exception cref="TableException">It is no text.</exception>
    public void Check()
    {
        if (_isChecked) return;
        var buffer = new byte[1 << 18];
        try
        {
            using var stream = Open();
            while (stream.Read(buffer) > 0)
            {
            }
        }
        catch (NotUtf8Exception)
        {
            // The encoding is known now.
        }
    }

    private static bool IsPacked(SafeFileHandle file)
    {
        Span<byte> start = stackalloc byte[2];
        return RandomAccess.Read(file, start, 0) == 2 && start is [0x1F, 0x8B];
    }

    // What gzip says at the end of a file: the length of what was packed, of which four bytes (RFC 1952, section 2.3.1). .NET does not look
    // at it, and takes a file that is cut off for a shorter one.
    private static uint PackedLength(SafeFileHandle file)
    {
        Span<byte> end = stackalloc byte[sizeof(uint)];
        RandomAccess.Read(file, end, Math.Max(0, RandomAccess.GetLength(file) - end.Length));
        return BinaryPrimitives.ReadUInt32LittleEndian(end);
    }

    // Of what comes once only.
    private static SafeFileHandle Copy(Stream pipe) => Temporary(pipe.CopyTo);

    private static SafeFileHandle Temporary(Action<Stream> write)
    {
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        var copy = new FileStream(
            path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete, 1 << 16, FileOptions.DeleteOnClose);
        try
        {
            write(copy);
            copy.Flush();
        }
        catch
        {
            copy.Dispose();
            throw;
        }

        if (!OperatingSystem.IsWindows()) File.Delete(path); // It lives on as long as it is open, and no longer.
        return copy.SafeFileHandle;
    }

    private int Read(long position, Span<byte> buffer)
    {
        if (_skipped > 0 || _header > 0)
        {
            buffer = buffer[..(int)Math.Min(buffer.Length, (position < _header ? _header : Length) - position)];
            if (buffer.IsEmpty) return 0;
            if (position >= _header) position += _skipped;
        }

        if (_file is not null) return RandomAccess.Read(_file, buffer, position);
        var rest = _content.AsSpan((int)position);
        rest = rest[..Math.Min(rest.Length, buffer.Length)];
        rest.CopyTo(buffer);
        return rest.Length;
    }

    private sealed class Reading(CsvSource source) : Stream
    {
        // The start of a character, of which the rest is not there yet.
        private readonly byte[] _started = new byte[4];
        private int _startedLength;
        private long _position;
        private bool _isChecked = source._isChecked;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => source.Length;

        public override long Position
        {
            get => _position;
            set => throw new NotSupportedException();
        }

        public override int Read(Span<byte> buffer)
        {
            var count = source.Read(_position, buffer);
            if (!_isChecked) Check(buffer[..count]);
            _position += count;
            Volatile.Write(ref source._reached, _position);
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        private void Check(ReadOnlySpan<byte> bytes)
        {
            if (_position == 0 && bytes is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..] or [0, 0, 0xFE, 0xFF, ..])
            {
                _isChecked = source._isChecked = true;
                return;
            }

            if (bytes.IndexOf((byte)0) is >= 0 and var nul)
                throw new TableException(
                    $"{source.Name}: this is not a text file (byte {_position + nul} is zero); save the table as CSV in UTF-8.");
            if (!IsUtf8(bytes))
            {
                source.Encoding = CodePagesEncodingProvider.Instance.GetEncoding(1252);
                source._isChecked = true;
                throw new NotUtf8Exception();
            }

            if (bytes.IsEmpty) _isChecked = source._isChecked = true;
        }

        private bool IsUtf8(ReadOnlySpan<byte> bytes)
        {
            // At the end nothing may be left over.
            if (bytes.IsEmpty) return _startedLength == 0;
            while (_startedLength > 0 && !bytes.IsEmpty)
            {
                _started[_startedLength++] = bytes[0];
                bytes = bytes[1..];
                if (Missing(_started.AsSpan(0, _startedLength)) > 0) continue;
                if (!Utf8.IsValid(_started.AsSpan(0, _startedLength))) return false;
                _startedLength = 0;
            }

            if (Ascii.IsValid(bytes)) return true;
            for (var back = 1; back <= Math.Min(3, bytes.Length); back++)
            {
                if ((bytes[^back] & 0xC0) == 0x80) continue;
                if (Missing(bytes[^back..]) > 0)
                {
                    bytes[^back..].CopyTo(_started);
                    _startedLength = back;
                    bytes = bytes[..^back];
                }

                break;
            }

            return Utf8.IsValid(bytes);
        }

        // The bytes that a character still needs.
        private static int Missing(ReadOnlySpan<byte> started) =>
            (started[0] switch { >= 0xF0 => 4, >= 0xE0 => 3, >= 0xC0 => 2, _ => 1 }) - started.Length;
    }
}

/// <summary>A table turned out not to be UTF-8, of which a part has been read as such.</summary>
internal sealed class NotUtf8Exception : Exception;
