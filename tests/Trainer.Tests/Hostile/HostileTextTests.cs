using System.Text;
using FsCheck.Fluent;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Tests.Referees;
using MlNetBatchNorm.Trainer.Tests.Text;
using MlNetBatchNorm.Trainer.Training;
using Xunit.Abstractions;

namespace MlNetBatchNorm.Trainer.Tests.Hostile;

/// <summary>Whatever is in the text of a network or in a checkpoint: it is read, or refused by the exception that is documented.</summary>
public sealed class HostileTextTests(ITestOutputHelper output) : IDisposable
{
    private static readonly string[] Words =
    [
        "dense", "conv2d", "batchnorm", "residual", "around", "end", "relu", "dropout", "maxpool", "64", "-1", "0", "999999999",
        "9223372036854775807", "1e308", "NaN", "stride=2", "name=x", "init=normal:0.01", "init=", "=", ";",
        "#", "\n", "\t", "\0", "\u001b[2J",
    ];

    private readonly string _folder = Directory.CreateTempSubdirectory("hostile").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Parse_BrokenNetworkText_ReadsOrThrowsFormat()
    {
        var texts = RandomNetworks.Arbitrary.Generator.Sample(200).Select(network => network.ToString()).ToArray();
        output.WriteLine(new HostileInputs(6).Run(
            3000,
            random => Text(texts, random),
            bytes => Network.Parse(Encoding.UTF8.GetString(bytes), 3, 16, 16),
            exception => exception is FormatException));
    }

    [Fact]
    public void Read_BrokenCheckpoint_ReadsOrThrowsInvalidData()
    {
        var path = Path.Combine(_folder, "training.checkpoint");
        new TrainingCheckpoint(
            new Dictionary<string, string> { ["network"] = "dense 4", ["seed"] = "1" }, 12, [],
            new Dictionary<string, float[]> { ["w"] = [1, 2, 3, 4], ["b"] = [0.5f] },
            new Dictionary<string, float[]> { ["w"] = [1, 2, 3, 5] }).Write(path);
        var whole = File.ReadAllBytes(path);
        output.WriteLine(new HostileInputs(7).Run(
            1500,
            random => random.Next(2) == 0 ? HostileInputs.Mutated(whole, random) : Changed(whole, random),
            bytes =>
            {
                File.WriteAllBytes(path, bytes);
                TrainingCheckpoint.Read(path);
            },
            exception => exception is InvalidDataException && exception.Message.Contains(path, StringComparison.Ordinal)));
    }

    private static byte[] Text(string[] texts, Random random)
    {
        var text = texts[random.Next(texts.Length)];
        for (var change = random.Next(1, 4); change > 0; change--)
        {
            var at = random.Next(text.Length + 1);
            var word = Words[random.Next(Words.Length)];
            text = random.Next(3) switch
            {
                0 => text.Insert(at, $" {word} "),
                1 => text.Insert(at, word),
                _ => text[..at] + word + text[Math.Min(text.Length, at + random.Next(8))..],
            };
        }

        var bytes = Encoding.UTF8.GetBytes(text);
        return random.Next(4) == 0 ? HostileInputs.Mutated(bytes, random) : bytes;
    }

    // A whole model, with a sum that is right or is not, of which something is no longer what it was.
    private static byte[] Changed(byte[] whole, Random random)
    {
        var model = ModelProto.Parser.ParseFrom(whole);
        var entry = model.MetadataProps[random.Next(model.MetadataProps.Count)];
        switch (random.Next(4))
        {
            case 0: entry.Value = Encoding.UTF8.GetString(HostileInputs.Mutated(Encoding.UTF8.GetBytes(entry.Value), random)); break;
            case 1: model.MetadataProps.Remove(entry); break;
            case 2: model.Graph.Initializer[random.Next(model.Graph.Initializer.Count)].Dims[0] = random.Next(-3, 9); break;
            default: model.Graph.Initializer.Add(model.Graph.Initializer[0].Clone()); break;
        }

        TrainingCheckpoint.Seal(model);
        return Google.Protobuf.MessageExtensions.ToByteArray(model);
    }
}
