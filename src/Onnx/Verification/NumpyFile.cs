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
    /// <summary>The arrays of an archive, by name.</summary>
    /// <exception cref="InvalidDataException">Not such an archive, or an array that cannot be read.</exception>
    public static IReadOnlyDictionary<string, HostTensor> ReadArchive(string path)
    {
        var arrays = new Dictionary<string, HostTensor>(StringComparer.Ordinal);
        using var archive = ZipFile.OpenRead(path);
        foreach (var entry in archive.Entries.Where(entry => entry.Name.EndsWith(".npy", StringComparison.Ordinal)))
        {
            using var stream = entry.Open();
            using var memory = new MemoryStream();
            stream.CopyTo(memory);
            arrays.Add(entry.FullName[..^4], Parse(memory.ToArray(), $"'{entry.FullName}' in '{path}'"));
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
        var header = HeaderPattern().Match(Encoding.UTF8.GetString(bytes, start, (int)length));
        if (!header.Success) throw new InvalidDataException($"{what} has a header that cannot be read.");
        if (header.Groups["order"].Value == "True")
            throw new InvalidDataException($"{what} is stored column by column; save numpy.ascontiguousarray of it.");
        var shape = header.Groups["shape"].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(size => long.Parse(size, CultureInfo.InvariantCulture)).ToArray();
        return Elements(header.Groups["type"].Value, shape, bytes.AsSpan(start + (int)length), what);
    }

    private static HostTensor Elements(string descr, long[] shape, ReadOnlySpan<byte> data, string what)
    {
        var type = ElementTypes.OfNumpy(descr);
        var characters = 0;
        if (type is null && !(descr.StartsWith("<U", StringComparison.Ordinal) && int.TryParse(descr.AsSpan(2), out characters)))
            throw new InvalidDataException($"{what} has elements of NumPy type '{descr}', which cannot be read.");
        var size = type is null ? 4 * characters : type.Bits!.Value / 8;
        var count = shape.Aggregate((Int128)1, (product, axis) => product * axis);
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
