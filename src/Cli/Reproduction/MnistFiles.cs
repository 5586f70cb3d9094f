using System.Buffers.Binary;
using System.IO.Compression;

namespace MlNetBatchNorm.Cli.Reproduction;

/// <summary>
/// The MNIST digits (LeCun, Cortes and Burges) in the four files that they are distributed in: 60,000 images to learn from and 10,000 to
/// test on, 28 × 28 grey values each. Any other set in the same files and of any other size of image is read as well.
/// </summary>
internal static class MnistFiles
{
    /// <summary>The classes: the digits 0 to 9.</summary>
    public const int Classes = 10;

    /// <summary>The names of the four files, each of which may also end in <c>.gz</c>.</summary>
    public static IReadOnlyList<string> Names { get; } =
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

    /// <summary>Reads the images to learn from and those to test on.</summary>
    /// <param name="folder">The folder with the four files.</param>
    /// <returns>Rows of shape <c>[1, H, W]</c> with values from 0 to 1, and one-hot targets.</returns>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or two do not belong together.</exception>
    public static (TrainingData Training, TrainingData Test) Read(string folder)
    {
        var paths = Names.Select(name => Find(folder, name)).ToArray();
        var (training, test) = (ReadPair(paths[0], paths[1]), ReadPair(paths[2], paths[3]));
        return training.Shape.Equals(test.Shape)
            ? (training, test)
            : throw new InvalidDataException(
                $"The images of '{paths[0]}' have the shape {training.Shape}, but those of '{paths[2]}' {test.Shape}.");
    }

    private static string Find(string folder, string name) => new[] { name, $"{name}.gz" }
        .Select(candidate => Path.Combine(folder, candidate))
        .FirstOrDefault(File.Exists)
        ?? throw new FileNotFoundException($"There is no file '{name}' (nor '{name}.gz') in '{folder}'.");

    private static TrainingData ReadPair(string imagesPath, string labelsPath)
    {
        var (sizes, pixels) = IdxFile.Read(imagesPath, axes: 3);
        var (counts, labels) = IdxFile.Read(labelsPath, axes: 1);
        if (counts[0] != sizes[0])
            throw new InvalidDataException($"'{imagesPath}' has {sizes[0]} images, but '{labelsPath}' has {counts[0]} labels.");
        var targets = new float[labels.Length * Classes];
        for (var i = 0; i < labels.Length; i++)
        {
            if (labels[i] >= Classes)
                throw new InvalidDataException($"'{labelsPath}' has the label {labels[i]} for image {i}; labels are the digits 0 to 9.");
            targets[(i * Classes) + labels[i]] = 1;
        }

        return new TrainingData(new SampleShape(1, sizes[1], sizes[2]), Classes, Array.ConvertAll(pixels, pixel => pixel / 255f), targets);
    }
}

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
