
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
