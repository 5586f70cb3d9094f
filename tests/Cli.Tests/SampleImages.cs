namespace MlNetBatchNorm.Cli.Tests;

/// <summary>Images in the form of MNIST, which a network can tell apart.</summary>
internal static class SampleImages
{
    // Each class is a bar at a place of its own, lying for even digits and standing for odd ones, in noise.
    public static void Write(TemporaryFolder folder, string name, int training, int test)
    {
        Directory.CreateDirectory(folder.File(name));
        var random = new Random(1);
        WriteFiles("train", training);
        WriteFiles("t10k", test);

        void WriteFiles(string stem, int count)
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
