using System.Text.Json;
using System.Text.Json.Serialization;
using MlNetBatchNorm.Onnx.Files;

namespace MlNetBatchNorm.Transforms.Tuning;

/// <summary>A training that was measured: settings, epochs and fold say which, so that it need not be made again.</summary>
/// <param name="Trial">The number of the settings.</param>
/// <param name="Epochs">The most epochs.</param>
/// <param name="Fold">The fold that it did not learn from, from 0.</param>
/// <param name="Score">The figure on the fold's rows; infinity where training diverged.</param>
/// <param name="Seconds">How long it took.</param>
internal sealed record MeasuredTraining(int Trial, int Epochs, int Fold, double Score, double Seconds);

/// <summary>
/// What has been measured so far, in a file that appears whole after each training, so that tuning goes on after it was stopped.
/// </summary>
internal sealed class TuningState
{
    private const int Format = 1;

    // A training that diverged is infinitely bad.
    private static readonly JsonSerializerOptions Json = new()
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        WriteIndented = true,
    };

    private readonly string? _path;
    private readonly IReadOnlyDictionary<string, string> _fingerprint;
    private readonly List<MeasuredTraining> _measured;

    private TuningState(string? path, IReadOnlyDictionary<string, string> fingerprint, List<MeasuredTraining> measured) =>
        (_path, _fingerprint, _measured) = (path, fingerprint, measured);

    /// <summary>The time that all of it took, in seconds.</summary>
    public double Seconds => _measured.Sum(training => training.Seconds);

    /// <summary>Takes up what a file has, or begins anew.</summary>
    /// <param name="checkpoint">The file; null = none is kept.</param>
    /// <param name="fingerprint">What is tuned, as texts by what they are called in an error.</param>
    /// <exception cref="InvalidDataException">The file is damaged, or of another tuning; the message names what differs.</exception>
    public static TuningState Open(CheckpointOptions? checkpoint, IReadOnlyDictionary<string, string> fingerprint)
    {
        if (checkpoint is null || !checkpoint.Resume || !File.Exists(checkpoint.Path))
            return new TuningState(checkpoint?.Path, fingerprint, []);
        Document? then;
        try
        {
            then = JsonSerializer.Deserialize<Document>(File.ReadAllText(checkpoint.Path), Json);
        }
        catch (JsonException exception)
        {
            throw Damaged(exception);
        }

        if (then is not { TuningFormat: Format, Fingerprint: not null, Measured: not null }) throw Damaged(null);
        var differences = fingerprint.Where(entry => then.Fingerprint.GetValueOrDefault(entry.Key) != entry.Value)
            .Select(entry => $"{entry.Key}: {then.Fingerprint.GetValueOrDefault(entry.Key, "unknown")} then, {entry.Value} now").ToList();
        return differences.Count == 0
            ? new TuningState(checkpoint.Path, fingerprint, then.Measured)
            : throw new InvalidDataException(
                $"'{checkpoint.Path}' is the state of another tuning: {string.Join("; ", differences)}. Give the same rows and options "
                + "again to go on, or remove the file to begin anew.");

        InvalidDataException Damaged(Exception? inner) => new(
            $"'{checkpoint.Path}' is not the state of a tuning, or is damaged. Remove it to begin anew.", inner);
    }

    /// <summary>What a training gave; null where it has not been made.</summary>
    public MeasuredTraining? Find(int trial, int epochs, int fold) =>
        _measured.Find(training => training.Trial == trial && training.Epochs == epochs && training.Fold == fold);

    /// <summary>Keeps what a training gave.</summary>
    public void Add(MeasuredTraining training)
    {
        _measured.Add(training);
        if (_path is null) return;
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(_path))!);
        AtomicFile.WriteText(_path, JsonSerializer.Serialize(new Document(Format, _fingerprint, _measured), Json) + "\n");
    }

    private sealed record Document(int TuningFormat, IReadOnlyDictionary<string, string> Fingerprint, List<MeasuredTraining> Measured);
}
