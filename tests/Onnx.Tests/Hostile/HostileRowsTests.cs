using System.IO.Compression;
using System.Text;
using Google.Protobuf;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Verification;
using MlNetBatchNorm.Tests.Referees;
using Xunit.Abstractions;

namespace MlNetBatchNorm.Onnx.Tests.Hostile;

/// <summary>Whatever is in a file of rows: it is read, or refused with its name.</summary>
public sealed class HostileRowsTests(ITestOutputHelper output) : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hostile").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Read_BrokenArchive_ReadsOrThrowsInvalidData()
    {
        var path = Path.Combine(_folder, "rows.npz");
        output.WriteLine(new HostileInputs(4).Run(
            2000,
            Archive,
            bytes =>
            {
                File.WriteAllBytes(path, bytes);
                InputFiles.Read(path, ["x", "y"]);
            },
            exception => exception is InvalidDataException && exception.Message.Contains(path, StringComparison.Ordinal)));
    }

    [Fact]
    public void Read_BrokenTensor_ReadsOrThrowsInvalidData()
    {
        var path = Path.Combine(_folder, "input_0.pb");
        output.WriteLine(new HostileInputs(5).Run(
            1000,
            random =>
            {
                var tensor = TensorData.Create("x", [1f, 2, 3, 4, 5, 6], 2, 3);
                if (random.Next(2) == 0) BrokenModels.Break(tensor, random);
                return random.Next(2) == 0 ? HostileInputs.Mutated(tensor.ToByteArray(), random) : tensor.ToByteArray();
            },
            bytes =>
            {
                File.WriteAllBytes(path, bytes);
                InputFiles.Read(_folder, ["x"]);
            },
            exception => exception is InvalidDataException && exception.Message.Contains(_folder, StringComparison.Ordinal)));
    }

    // An archive that is whole, or of which headers lie, and then perhaps bytes that are no longer what they were.
    private static byte[] Archive(Random random)
    {
        using var memory = new MemoryStream();
        using (var archive = new ZipArchive(memory, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var name in random.Next(6) == 0 ? new[] { "x", "x", "y" } : random.Next(6) == 0 ? ["../x", "y"] : ["x", "y"])
            {
                using var stream = archive.CreateEntry($"{name}.npy", (CompressionLevel)random.Next(3)).Open();
                var type = Pick(random, "<f4", "<i4", "<i8", "|b1", "<U2", "<U0", "<U999999999", ">f4", "<f2", "|O", "");
                var shape = Pick(random, "2, 3", "6,", "", "0, 3", "-1, 3", "9223372036854775807,", "1e9,", "2, 3, ", "(2, 3)");
                var order = Pick(random, "False", "True", "None");
                var header = Encoding.ASCII.GetBytes($"{{'descr': '{type}', 'fortran_order': {order}, 'shape': ({shape}), }}\n");
                stream.Write([0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', (byte)(random.Next(20) == 0 ? 2 : 1), 0]);
                stream.Write([(byte)header.Length, (byte)(random.Next(20) == 0 ? 1 : 0)]);
                stream.Write(header);
                stream.Write(new byte[random.Next(8) == 0 ? random.Next(64) : 24]);
            }
        }

        return random.Next(3) == 0 ? HostileInputs.Mutated(memory.ToArray(), random) : memory.ToArray();
    }

    // Mostly the first, which is right.
    private static string Pick(Random random, params ReadOnlySpan<string> texts) =>
        texts[random.Next(4) > 0 ? 0 : random.Next(texts.Length)];
}
