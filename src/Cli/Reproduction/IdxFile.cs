using System.Buffers.Binary;
using System.IO.Compression;

namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>
/// Reads files in the IDX format that the MNIST digits are distributed in: two zero bytes, the type of an element (8 = unsigned byte, the
/// only one read here), the number of axes, the size of each axis as a 32-bit number with its highest byte first, then the elements,
/// row-major.
/// </summary>
internal static class IdxFile
{
    private const byte UnsignedByte = 0x08;

    /// <summary>Reads a file; one whose name ends in <c>.gz</c> is unpacked on the way.</summary>
    /// <param name="path">The file.</param>
    /// <param name="axes">The axes that are expected: 3 for images, 1 for labels.</param>
    /// <returns>The size of each axis, and the elements.</returns>
    /// <exception cref="InvalidDataException">It is not such a file; the message says what is wrong.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static (IReadOnlyList<int> Sizes, byte[] Values) Read(string path, int axes)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(axes);
        var bytes = ReadBytes(path);
        if (bytes.Length < 4 || bytes[0] != 0 || bytes[1] != 0)
            throw new InvalidDataException(
                $"'{path}' is not an IDX file: it does not begin with two zero bytes, a type and a number of axes.");
        if (bytes[2] != UnsignedByte)
            throw new InvalidDataException($"'{path}' has elements of the IDX type 0x{bytes[2]:X2}; only unsigned bytes (0x08) are read.");
        if (bytes[3] != axes)
            throw new InvalidDataException(
                $"'{path}' has {bytes[3]} axes, but {axes} are expected ({(axes == 1 ? "labels" : "images: count, height, width")}).");
        var header = 4 + (4 * axes);
        if (bytes.Length < header) throw new InvalidDataException($"'{path}' ends within its header, after {bytes.Length} bytes.");
        var sizes = new int[axes];
        var count = 1L;
        for (var axis = 0; axis < axes; axis++)
        {
            sizes[axis] = BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(4 + (4 * axis)));
            if (sizes[axis] < 1)
                throw new InvalidDataException($"'{path}' says that axis {axis} has the size {sizes[axis]}; sizes are at least 1.");

            // So that sizes from a damaged header cannot overflow.
            count = Math.Min(count * sizes[axis], int.MaxValue);
        }

        if (bytes.Length - header != count)
            throw new InvalidDataException(
                $"'{path}' says that it has {string.Join(" × ", sizes)} elements, but {bytes.Length - header} bytes follow; is the file "
                + $"complete?");
        return (sizes, bytes[header..]);
    }

    private static byte[] ReadBytes(string path)
    {
        if (!path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase)) return File.ReadAllBytes(path);
        using var file = File.OpenRead(path);
        using var unpacked = new GZipStream(file, CompressionMode.Decompress);
        using var memory = new MemoryStream();
        try
        {
            unpacked.CopyTo(memory);
        }
        catch (InvalidDataException exception)
        {
            throw new InvalidDataException($"'{path}' is not a whole gzip file: {exception.Message}", exception);
        }

        return memory.ToArray();
    }
}
