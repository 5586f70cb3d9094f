using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Google.Protobuf;
using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Metrics;
using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Trainer.Training;

/// <summary>
/// The state of a training after an epoch, as a file: an ONNX model without nodes whose initializers are the numbers, and whose metadata
/// says the rest. See docs/checkpoints.md.
/// </summary>
/// <param name="Fingerprint">What the training is made of; see <see cref="TrainingFingerprint"/>.</param>
/// <param name="Steps">The steps made.</param>
/// <param name="History">The reports of the epochs that are done.</param>
/// <param name="State">Parameters, running statistics and the optimizer's vectors after them, by name.</param>
/// <param name="Best">The parameters and statistics of the best epoch, by name.</param>
internal sealed record TrainingCheckpoint(
    IReadOnlyDictionary<string, string> Fingerprint,
    long Steps,
    IReadOnlyList<EpochReport> History,
    IReadOnlyDictionary<string, float[]> State,
    IReadOnlyDictionary<string, float[]> Best)
{
    /// <summary>Whether no epoch is to follow, although there are fewer than there might have been.</summary>
    public bool IsDone { get; init; }

    /// <summary>What was seen of each layer; empty where nobody looked.</summary>
    public IReadOnlyList<LayerDiagnostics> Diagnostics { get; init; } = [];

    private const string Format = "1";
    private const string FormatKey = "mlnetbn.checkpoint";
    private const string DocumentKey = "mlnetbn.checkpoint.training";
    private const string ChecksumKey = "mlnetbn.checkpoint.sha256";
    private const string StatePrefix = "state/";
    private const string BestPrefix = "best/";

    private static readonly JsonSerializerOptions Json = new() { NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    /// <summary>Writes the file; it appears whole or not at all, and an older one stays until then.</summary>
    public void Write(string path)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder) Directory.CreateDirectory(folder);
        var nodes = new GraphBuilder("checkpoint of a training");
        var model = nodes.Build();
        foreach (var (name, values) in State) model.Graph.Initializer.Add(TensorData.Create(StatePrefix + name, values, values.Length));
        foreach (var (name, values) in Best) model.Graph.Initializer.Add(TensorData.Create(BestPrefix + name, values, values.Length));
        var document = JsonSerializer.Serialize(
            new Document(Fingerprint, Steps, [.. History.Select(EpochEntry.Of)], IsDone, Diagnostics), Json);
        ModelFile.SetMetadata(model, FormatKey, Format);
        ModelFile.SetMetadata(model, DocumentKey, document);
        Seal(model);
        ModelFile.Write(model, path);
    }

    /// <summary>Notes the checksum of what a model holds: the last step of writing one.</summary>
    public static void Seal(ModelProto model) =>
        ModelFile.SetMetadata(model, ChecksumKey, Checksum(model, ModelFile.GetMetadata(model, DocumentKey) ?? string.Empty));

    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidDataException">
    /// It is no checkpoint, or is damaged, or of a newer format; the message says what to do.
    /// </exception>
    public static TrainingCheckpoint Read(string path)
    {
        ModelProto model;
        try
        {
            model = ModelFile.Read(path);
        }
        catch (InvalidModelException exception)
        {
            throw Damaged(path, exception);
        }

        if (ModelFile.GetMetadata(model, FormatKey) is not { } format) throw Damaged(path);
        if (format != Format)
            throw new InvalidDataException(
                $"The checkpoint '{path}' has the format {format}, but this version reads {Format} only. Go on with the version that wrote "
                + "it, or remove the file to begin anew.");
        if (ModelFile.GetMetadata(model, DocumentKey) is not { } text || ModelFile.GetMetadata(model, ChecksumKey) != Checksum(model, text))
            throw Damaged(path);
        try
        {
            var document = JsonSerializer.Deserialize<Document>(text, Json);
            if (document is not { Fingerprint: not null, History: not null } || document.History.Any(entry => entry is null))
                throw Damaged(path);
            return new TrainingCheckpoint(
                document.Fingerprint,
                document.Steps,
                [.. document.History.Select(entry => entry.ToReport())],
                Tensors(model, StatePrefix),
                Tensors(model, BestPrefix))
            {
                IsDone = document.IsDone,
                Diagnostics = document.Diagnostics ?? [],
            };
        }
        catch (Exception exception) when (exception is JsonException or FormatException or ArgumentException or InvalidModelException
            or NotSupportedException or KeyNotFoundException)
        {
            throw Damaged(path, exception);
        }
    }

    private static Dictionary<string, float[]> Tensors(ModelProto model, string prefix) => model.Graph.Initializer
        .Where(tensor => tensor.Name.StartsWith(prefix, StringComparison.Ordinal))
        .ToDictionary(tensor => tensor.Name[prefix.Length..], TensorData.ToFloats, StringComparer.Ordinal);

    private static InvalidDataException Damaged(string path, Exception? exception = null) =>
        new($"'{path}' is not a checkpoint of a training, or is damaged. Remove it to begin anew.", exception);

    private static string Checksum(ModelProto model, string document)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var tensor in model.Graph.Initializer) hash.AppendData(tensor.ToByteArray());
        hash.AppendData(Encoding.UTF8.GetBytes(document));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    // Files of earlier versions do not say whether they are done: then they are not. Nor was anybody looking.
    private sealed record Document(
        IReadOnlyDictionary<string, string> Fingerprint,
        long Steps,
        IReadOnlyList<EpochEntry> History,
        bool IsDone = false,
        IReadOnlyList<LayerDiagnostics>? Diagnostics = null);

    // What is stored of a report, whatever becomes of the class itself.
    private sealed record EpochEntry(int Epoch, int Epochs, double Loss, ValidationEntry? Validation, bool IsBest, TimeSpan Elapsed)
    {
        public static EpochEntry Of(EpochReport report) => new(
            report.Epoch,
            report.Epochs,
            report.Loss,
            report.Validation is { } validation ? new ValidationEntry(
                validation.Loss, validation.Values.ToKeys(), validation.IsOutOfFold) : null,
            report.IsBest,
            report.Elapsed);

        public EpochReport ToReport() => new(
            Epoch,
            Epochs,
            Loss,
            Validation is { } validation
                ? new EpochMetrics(validation.Loss, MetricValues.FromKeys(validation.Metrics)) { IsOutOfFold = validation.IsOutOfFold }
                : null,
            IsBest,
            Elapsed);
    }

    private sealed record ValidationEntry(double Loss, IReadOnlyDictionary<string, double> Metrics, bool IsOutOfFold = false);
}
