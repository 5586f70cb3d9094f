using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Google.Protobuf;
using MlNetBatchNorm.Trainer.Graphs;

namespace MlNetBatchNorm.Trainer.Training;

/// <summary>What a training is made of, so that a checkpoint is never carried on with other rows or other options.</summary>
internal static class TrainingFingerprint
{
    // Rates that depend on the step (Adam's corrections, running statistics) are compared at these.
    private static readonly long[] Probes = [1, 2, 10, 1000];

    /// <summary>Everything that decides about the result, as texts by what they are called in an error.</summary>
    /// <param name="network">The architecture.</param>
    /// <param name="options">The options.</param>
    /// <param name="rows">The rows as they were given.</param>
    /// <param name="validation">The validation rows as they were given, or null.</param>
    /// <param name="step">The step, which has layers, loss and optimizer with all their numbers in it.</param>
    public static IReadOnlyDictionary<string, string> Of(
        Network network, TrainingOptions options, TrainingData rows, TrainingData? validation, TrainingStep step) =>
        new Dictionary<string, string>
        {
            ["network"] = $"{network.InputShape}: {string.Join(", ", network.AllSites.Select(site => $"{site.Name} {site.Output}"))}",
            ["training rows"] = Describe(rows),
            ["validation rows"] = validation is null ? "none of their own" : Describe(validation),
            ["validation share"] = Text(options.ValidationFraction),
            ["batch size"] = Text(options.BatchSize),
            ["epochs"] = Text(options.Epochs),
            ["patience"] = Text(options.EarlyStoppingPatience),
            ["optimizer"] = options.Optimizer.GetType().Name.Replace("Optimizer", string.Empty, StringComparison.Ordinal),
            ["learning rate"] = Text(options.Optimizer.LearningRate),
            ["schedule"] = options.Schedule.ToString(),
            ["gradient norm"] = options.MaximumGradientNorm is { } norm ? Text(norm) : "no limit",
            ["statistics"] = options.Statistics.Description,
            ["standardization"] = options.StandardizeFeatures ? $"clipped at {Text(options.FeatureClip)}" : "none",
            ["standardization of targets"] = options.StandardizeTargets.ToString(),
            ["augmentation"] = options.Augmentation?.ToString() ?? "none",
            ["seed"] = Text(options.Seed),
            ["layers, loss or optimizer in one of their numbers"] = Hash(step),
        };

    /// <summary>Rejects a checkpoint of another training.</summary>
    /// <exception cref="InvalidDataException">Something differs; the message names what, with both values.</exception>
    public static void RequireSame(IReadOnlyDictionary<string, string> then, IReadOnlyDictionary<string, string> now, string path)
    {
        var differences = now.Where(entry => then.GetValueOrDefault(entry.Key) != entry.Value).ToList();
        if (differences.Count == 0) return;
        // A network or an optimizer of another kind has other numbers, too: that goes without saying.
        var shown = differences.Count == 1 ? differences : differences.Where(entry => !IsHash(entry.Value));
        throw new InvalidDataException(
            $"The checkpoint '{path}' is of another training: {string.Join("; ", shown.Select(Describe))}. Give the same rows and options "
            + "again to go on, or remove the file to begin anew.");

        string Describe(KeyValuePair<string, string> entry) => IsHash(entry.Value)
            ? $"the {entry.Key} differ"
            : $"{entry.Key}: {then.GetValueOrDefault(entry.Key, "unknown")} then, {entry.Value} now";
    }

    private static bool IsHash(string value) => value.StartsWith("sha256:", StringComparison.Ordinal);

    private static string Describe(TrainingData rows)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var scratch = new float[rows.Shape.Count];
        for (var row = 0; row < rows.Count; row++) hash.AppendData(MemoryMarshal.AsBytes(rows.FeatureRows.Read(row, scratch)));
        hash.AppendData(MemoryMarshal.AsBytes(rows.TargetArray.AsSpan()));
        hash.AppendData(MemoryMarshal.AsBytes((rows.WeightArray ?? []).AsSpan()));
        var weights = rows.WeightArray is null ? string.Empty : " with weights";
        return $"{Text(rows.Count)} of shape {rows.Shape}{weights} (content {Convert.ToHexStringLower(hash.GetHashAndReset())[..12]})";
    }

    // Without the seeds of the operators that draw numbers: they follow from the training's seed and move on with the steps.
    private static string Hash(TrainingStep step)
    {
        var model = step.Model.Clone();
        foreach (var attribute in model.Graph.Node.SelectMany(node => node.Attribute).Where(attribute => attribute.Name == "seed"))
            attribute.I = 0;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(model.ToByteArray());
        foreach (var probe in Probes) hash.AppendData(MemoryMarshal.AsBytes(step.HostScalars(new StepContext(probe, 1, 0.5f)).AsSpan()));
        return $"sha256:{Convert.ToHexStringLower(hash.GetHashAndReset())}";
    }

    private static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);
}
