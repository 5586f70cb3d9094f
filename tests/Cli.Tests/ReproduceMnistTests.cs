using System.Text.Json;

namespace MlNetBatchNorm.Cli.Tests;

/// <summary>The very network and recipe of <c>reproduce mnist</c>, on a few hundred images made here: no digits are fetched.</summary>
public class ReproduceMnistTests
{
    [Fact]
    public void Mnist_ImagesMadeHere_TrainsTestsFoldsAndWrites()
    {
        using var folder = new TemporaryFolder();
        WriteDigits(folder, "data", training: 320, test: 100);

        var result = Tool.Run(folder.Path, "reproduce", "mnist", "--data", "data", "--out", "out", "--epochs", "6", "--seed", "3");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(
            ["loss.csv", "metrics.json", "model.batchnorm.onnx", "model.onnx", "report.html"],
            folder.Files().Where(file => file.StartsWith("out/", StringComparison.Ordinal)).Select(file => file[4..]));
        Assert.Contains("320 images of shape [1, 28, 28]", result.Error, StringComparison.Ordinal);
        Assert.Contains("epoch   6/6", result.Error, StringComparison.Ordinal);
        Assert.Contains("test accuracy", result.Output, StringComparison.Ordinal);
        using var metrics = JsonDocument.Parse(File.ReadAllText(folder.File("out/metrics.json")));
        var root = metrics.RootElement;
        Assert.Equal(3, root.GetProperty("seed").GetInt32());
        Assert.Equal(73_082, root.GetProperty("parameters").GetInt32());
        Assert.Equal(320, root.GetProperty("trainingRows").GetInt32());
        Assert.Equal(100, root.GetProperty("testRows").GetInt32());
        Assert.Equal(0, root.GetProperty("batchNormsAfter").GetInt32());
        Assert.True(root.GetProperty("largestRelativeDifference").GetDouble() < 1e-5);

        // Chance is 0.1.
        Assert.True(root.GetProperty("test").GetProperty("accuracy").GetDouble() > 0.5, result.Output);
    }

    [Fact]
    public void Mnist_NoData_SaysInOneLineHowToGetThem()
    {
        using var folder = new TemporaryFolder();

        Assert.Contains(
            "scripts/mnist.sh",
            Tool.Run(folder.Path, "reproduce", "mnist", "--out", "out").RequireOneLineOfError(),
            StringComparison.Ordinal);
        Assert.Empty(folder.Files());
    }

    [Fact]
    public void Mnist_DamagedData_FailsInOneLineAndWritesNothing()
    {
        using var folder = new TemporaryFolder();
        WriteDigits(folder, "data", training: 20, test: 10);
        File.WriteAllBytes(folder.File("data/train-labels-idx1-ubyte"), [0, 0, 8, 1, 0, 0, 0, 20, 1, 2, 3]);

        var line = Tool.Run(folder.Path, "reproduce", "mnist", "--data", "data", "--out", "out").RequireOneLineOfError();

        Assert.Contains("train-labels-idx1-ubyte", line, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder.File("out")));
    }

    // Each class is a bar at a place of its own, lying for even digits and standing for odd ones, in noise.
    internal static void WriteDigits(TemporaryFolder folder, string name, int training, int test)
    {
        Directory.CreateDirectory(folder.File(name));
        var random = new Random(1);
        Write("train", training);
        Write("t10k", test);

        void Write(string stem, int count)
        {
            var images = new byte[count * 28 * 28];
            var labels = new byte[count];
            for (var i = 0; i < count; i++)
            {
                var digit = labels[i] = (byte)(i % 10);
                var at = 4 + (digit / 2 * 5);
                for (var y = 0; y < 28; y++)
                    for (var x = 0; x < 28; x++)
                        images[(i * 784) + (y * 28) + x] = (byte)(
                            random.Next(60) + (Math.Abs((digit % 2 == 0 ? y : x) - at) < 2 ? 180 : 0));
            }

            File.WriteAllBytes(
                Path.Combine(folder.File(name), $"{stem}-images-idx3-ubyte"),
                [0, 0, 8, 3, .. BigEndian(count), .. BigEndian(28), .. BigEndian(28), .. images]);
            File.WriteAllBytes(Path.Combine(folder.File(name), $"{stem}-labels-idx1-ubyte"), [0, 0, 8, 1, .. BigEndian(count), .. labels]);
        }
    }

    private static byte[] BigEndian(int value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];
}
