using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.RegularExpressions;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>
/// Reads NumPy's <c>.npz</c>: a zip archive with one <c>.npy</c> for each array. An <c>.npy</c> is a magic word, a version, the length of a
/// header, the header (a Python dictionary with <c>descr</c>, <c>fortran_order</c> and <c>shape</c>), and the elements.
/// </summary>
internal static partial class NumpyFile
{
    // What arrays may become together: this, and some times the size of the archive. Zeros are packed a thousand to one.
    private const long FreeBytes = 1L << 26;
    private const long LargestGrowth = 50;

    // What Deflate can do at most (RFC 1951: 258 bytes for two bits): nothing is allocated for a larger claim.
    private const long LargestRatio = 1032;

    // NumPy reads no longer headers either.
    private const int LongestHeader = 10_000;

    /// <summary>The arrays of an archive, by name.</summary>
    /// <exception cref="InvalidDataException">
    /// Not such an archive, two arrays of one name, an array that cannot be read, or far more bytes than the archive has.
    /// </exception>
    public static IReadOnlyDictionary<string, HostTensor> ReadArchive(string path)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            using var archive = new ZipArchive(file, ZipArchiveMode.Read);
            return ReadArchive(archive, path, file.Length);
        }
        catch (Exception exception) when (exception is ArgumentException or NotSupportedException or EndOfStreamException
            or OverflowException)
        {
            throw new InvalidDataException($"'{path}' is not a NumPy archive, or is damaged: {exception.Message}", exception);
        }
        catch (InvalidDataException exception) when (!exception.Message.Contains(path, StringComparison.Ordinal))
        {
            throw new InvalidDataException($"'{path}' is not a NumPy archive, or is damaged: {exception.Message}", exception);
        }
    }

    private static Dictionary<string, HostTensor> ReadArchive(ZipArchive archive, string path, long size)
    {
        var arrays = new Dictionary<string, HostTensor>(StringComparer.Ordinal);
        var left = FreeBytes + (LargestGrowth * size);
        foreach (var entry in archive.Entries.Where(entry => entry.Name.EndsWith(".npy", StringComparison.Ordinal)))
        {
            var (name, what) = (entry.FullName[..^4], $"'{entry.FullName}' in '{path}'");
            if (arrays.ContainsKey(name)) throw new InvalidDataException($"'{path}' holds the array '{name}' twice.");
            if (entry.Length > left)
                throw new InvalidDataException(
                    $"{what} would become {entry.Length} bytes; an archive of {size} bytes may become "
                    + $"{FreeBytes + (LargestGrowth * size)} in all. Save it without compression (numpy.savez).");
            if (entry.Length > entry.CompressedLength * LargestRatio + LargestRatio)
                throw new InvalidDataException($"{what} cannot become {entry.Length} bytes out of {entry.CompressedLength}.");
            left -= entry.Length;
            var bytes = GC.AllocateUninitializedArray<byte>((int)Math.Min(entry.Length, Array.MaxLength));
            using var stream = entry.Open();
            // An entry that says less than it holds, or more, is no longer what was packed.
            if (stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length || stream.ReadByte() >= 0)
                throw new InvalidDataException($"{what} has not the {entry.Length} bytes that the archive says it has.");
            arrays.Add(name, Parse(bytes, what));
        }

        return arrays;
    }

    private static HostTensor Parse(byte[] bytes, string what)
    {
        ReadOnlySpan<byte> magic = [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];
        if (bytes.Length < 12 || !bytes.AsSpan(0, 6).SequenceEqual(magic)) throw new InvalidDataException($"{what} is not a NumPy array.");
        // Version 1 has a 16-bit length, later ones 32 bits.
        var start = bytes[6] == 1 ? 10 : 12;
        var length = bytes[6] == 1
            ? BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(8))
            : (long)BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(8));
        if (length > bytes.Length - start) throw new InvalidDataException($"{what} is cut off.");
        if (length > LongestHeader) throw new InvalidDataException($"{what} has a header of {length} bytes; {LongestHeader} are read.");
        var header = HeaderPattern().Match(Encoding.UTF8.GetString(bytes, start, (int)length));
        if (!header.Success) throw new InvalidDataException($"{what} has a header that cannot be read.");
        if (header.Groups["order"].Value == "True")
            throw new InvalidDataException($"{what} is stored column by column; save numpy.ascontiguousarray of it.");
        var sizes = header.Groups["shape"].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var shape = new long[sizes.Length];
        for (var axis = 0; axis < shape.Length; axis++)
        {
            if (!long.TryParse(sizes[axis], NumberStyles.None, CultureInfo.InvariantCulture, out shape[axis]))
                throw new InvalidDataException($"{what} has the shape ({header.Groups["shape"].Value}), which is none.");
        }

        return Elements(header.Groups["type"].Value, shape, bytes.AsSpan(start + (int)length), what);
    }

    private static HostTensor Elements(string descr, long[] shape, ReadOnlySpan<byte> data, string what)
    {
        var type = ElementTypes.OfNumpy(descr);
        var characters = 0;
        if (type is null && !(descr.StartsWith("<U", StringComparison.Ordinal) && int.TryParse(descr.AsSpan(2), out characters)))
            throw new InvalidDataException($"{what} has elements of NumPy type '{descr}', which cannot be read.");
        var size = type is null ? 4 * characters : type.Bits!.Value / 8;
        // Elements of no bytes would be as many as the header says.
        if (type is null && characters < 1 && !shape.Contains(0))
            throw new InvalidDataException($"{what} has elements of NumPy type '{descr}', which hold nothing.");
        if (shape.Length > GraphChecker.MostAxes || !RealTensor.Fits(shape))
            throw new InvalidDataException($"{what} of shape [{string.Join(", ", shape)}] is more than can be read.");
        var count = shape.Aggregate(1L, (product, axis) => product * axis);
        if (count * size != data.Length)
            throw new InvalidDataException(
                $"{what} of shape [{string.Join(", ", shape)}] needs {count * size} bytes, but holds {data.Length}.");
        return type is null
            ? new HostTensor(DataType.String, shape, Texts(data, (int)count, size))
            : new HostTensor(type.Type, shape, type.FromBytes(data));
    }

    // Text is UTF-32, padded with zeros.
    private static string[] Texts(ReadOnlySpan<byte> data, int count, int size)
    {
        var result = new string[count];
        for (var i = 0; i < count; i++) result[i] = Encoding.UTF32.GetString(data.Slice(i * size, size)).TrimEnd('\0');
        return result;
    }

    [GeneratedRegex(
        @"'descr':\s*'(?<type>[^']+)'.*'fortran_order':\s*(?<order>True|False).*'shape':\s*\((?<shape>[^)]*)\)",
        RegexOptions.Singleline)]
    private static partial Regex HeaderPattern();
}
