using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Google.Protobuf;
using MlNetBatchNorm.Trainer.Graphs;
using MlNetBatchNorm.Trainer.Operators;

namespace MlNetBatchNorm.Trainer.Training;

/// <summary>What a training is made of, so that a checkpoint is never carried on with other rows or other options.</summary>
internal static class TrainingFingerprint
{
    private const string Ranks = "ranks";
    private const string TrainingRows = "training rows";
    private const string ValidationRows = "validation rows";
    private const string ContentStart = " (content ";
    private const string Threads = "threads";
    private const string Operators = "operators";
    private const string OperatorsOfOnnxRuntime = "those of ONNX Runtime";

    // Rates that depend on the step (Adam's corrections, running statistics) are compared at these.
    private static readonly long[] Probes = [1, 2, 10, 1000];

    private static string OperatorsOfOurOwn => $"{TrainingOperators.Name} {Text(TrainingOperators.Version)}";

    /// <summary>Whether a training that goes on from a checkpoint may use operators of our own: if it was begun with them.</summary>
    /// <param name="then">What the checkpoint was made of.</param>
    public static bool HasOwnOperators(IReadOnlyDictionary<string, string> then) => OperatorsThen(then) != OperatorsOfOnnxRuntime;

    /// <summary>Everything that decides about the result, as texts by what they are called in an error.</summary>
    /// <param name="network">The architecture.</param>
    /// <param name="options">The options.</param>
    /// <param name="rows">The rows as they were given.</param>
    /// <param name="validation">The validation rows as they were given, or null.</param>
    /// <param name="step">The step, which has layers, loss and optimizer with all their numbers in it.</param>
    /// <param name="threads">The threads that share its operators.</param>
    /// <param name="ranks">The ranks whose rows they are together; null = there is but this one.</param>
    public static IReadOnlyDictionary<string, string> Of(
        Network network,
        TrainingOptions options,
        TrainingData rows,
        TrainingData? validation,
        TrainingStep step,
        int threads,
        Communicator? ranks = null) => new Dictionary<string, string>
        {
            // Elsewhere the device divides the work.
            [Threads] = step.Device.Kind == DeviceKind.Cpu ? Text(threads) : "of another device",
            [Operators] = step.OwnOperators ? OperatorsOfOurOwn : OperatorsOfOnnxRuntime,
            ["network"] = $"{network.InputShape}: {string.Join(", ", network.AllSites.Select(site => $"{site.Name} {site.Output}"))}",
            [Ranks] = Text(ranks?.Size ?? 1),
            [TrainingRows] = Describe(rows, ranks),
            [ValidationRows] = validation is null ? "none of their own" : Describe(validation, ranks),
            ["validation share"] = Text(options.ValidationFraction),
            ["batch size"] = Text(options.BatchSize),
            ["epochs"] = Text(options.Epochs),
            ["patience"] = Text(options.EarlyStoppingPatience),
            ["optimizer"] = options.Optimizer.GetType().Name.Replace("Optimizer", string.Empty, StringComparison.Ordinal),
            ["learning rate"] = Text(options.Optimizer.LearningRate),
            ["schedule"] = options.Schedule.ToString(),
            ["gradient norm"] = options.MaximumGradientNorm is { } norm ? Text(norm) : "no limit",
            ["weight averaging"] = Text(options.WeightAveraging),
            ["statistics"] = options.Statistics.Description,
            ["standardization"] = options.StandardizeFeatures ? $"clipped at {Text(options.FeatureClip)}" : "none",
            ["standardization of targets"] = options.StandardizeTargets.ToString(),
            ["encoding of numbers"] = options.NumericEncoding.ToString(),
            ["embedded features"] = options.EmbeddedFeatures.Count == 0 ? "none" : string.Join(", ", options.EmbeddedFeatures)
                + (options.EmbeddingScale == 1 ? string.Empty : $", {Text(options.EmbeddingScale)} times as long"),
            ["form of targets"] = options.TargetTransform.ToString(),
            ["out-of-fold"] = options.OutOfFold.ToString(),
            ["calibration"] = options.Calibrate.ToString(),
            ["augmentation"] = options.Augmentation?.ToString() ?? "none",
            ["seed"] = Text(options.Seed),
            ["layers, loss or optimizer in one of their numbers"] = Hash(step),
        };

    /// <summary>Rejects a checkpoint of another training.</summary>
    /// <param name="then">What the checkpoint was made of.</param>
    /// <param name="now">What goes on from it.</param>
    /// <param name="path">Where it is.</param>
    /// <param name="threadsAreGiven">Whether the number of threads was asked for, so that another one than then is meant.</param>
    /// <returns>What to warn of: another number of threads; null = nothing.</returns>
    /// <exception cref="InvalidDataException">Something differs; the message names what, with both values.</exception>
    public static TrainingWarning? RequireSame(
        IReadOnlyDictionary<string, string> then, IReadOnlyDictionary<string, string> now, string path, bool threadsAreGiven)
    {
        then = new Dictionary<string, string>(then) { [Operators] = OperatorsThen(then), [Ranks] = then.GetValueOrDefault(Ranks, "1") };
        if (then[Ranks] != now[Ranks])
        {
            // Whatever else differs is refused as ever; of the rows, which are dealt out otherwise, only how many there are is known.
            var others = then[Ranks];
            then = Counted(then, now);
            if (RequireSame(then, Counted(now, now), path, threadsAreGiven) is { } threadsDiffer) return threadsDiffer;
            return new TrainingWarning(
                TrainingWarningKind.OtherRanks,
                null,
                $"The checkpoint '{path}' was made by {others} ranks, and now there are {now[Ranks]}: from here on rows come in another "
                + "order, and the network will not be, bit for bit, the one of a training that nobody stopped.");
        }

        var differences = now.Where(entry => then.GetValueOrDefault(entry.Key) != entry.Value).ToList();
        if (differences.Count == 0) return null;
        if (differences is [{ Key: Threads, Value: var threads }])
        {
            var before = then.GetValueOrDefault(Threads, "unknown");
            var differs = $"The checkpoint '{path}' was made with another number of threads (threads: {before} then, {threads} now), and "
                + "sums that are divided otherwise have other last digits";
            return threadsAreGiven || !int.TryParse(threads, out _)
                ? new TrainingWarning(
                    TrainingWarningKind.OtherThreads,
                    null,
                    $"{differs}: the network will not be, bit for bit, the one of a training that nobody stopped.")
                : throw new InvalidDataException(
                    $"{differs}. Ask for {before} threads (Threads in the options, --threads) to end with the same bits, on fewer cores, "
                    + $"too, or for {threads} to go on with others.");
        }

        // A network or an optimizer of another kind has other numbers, too: that goes without saying.
        var shown = differences.Count == 1 ? differences : differences.Where(entry => !IsHash(entry.Value));
        throw new InvalidDataException(
            $"The checkpoint '{path}' is of another training: {string.Join("; ", shown.Select(Describe))}. Give the same rows and options "
            + "again to go on, or remove the file to begin anew.");

        string Describe(KeyValuePair<string, string> entry) => IsHash(entry.Value)
            ? $"the {entry.Key} differ"
            : $"{entry.Key}: {then.GetValueOrDefault(entry.Key, "unknown")} then, {entry.Value} now";
    }

    private static Dictionary<string, string> Counted(
        IReadOnlyDictionary<string, string> entries, IReadOnlyDictionary<string, string> now) => new(entries)
        {
            [Ranks] = now[Ranks],
            [TrainingRows] = entries[TrainingRows].Split(ContentStart)[0],
            [ValidationRows] = entries[ValidationRows].Split(ContentStart)[0],
        };

    // There were no others before a checkpoint said so.
    private static string OperatorsThen(IReadOnlyDictionary<string, string> then) =>
        then.GetValueOrDefault(Operators, OperatorsOfOnnxRuntime);

    private static bool IsHash(string value) => value.StartsWith("sha256:", StringComparison.Ordinal);

    /// <summary>How many rows there are, of which shape and content.</summary>
    internal static string Describe(TrainingData rows, Communicator? ranks = null)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var scratch = new float[rows.Shape.Count];
        for (var row = 0; row < rows.Count; row++) hash.AppendData(MemoryMarshal.AsBytes(rows.FeatureRows.Read(row, scratch)));
        hash.AppendData(MemoryMarshal.AsBytes(rows.TargetArray.AsSpan()));
        hash.AppendData(MemoryMarshal.AsBytes((rows.WeightArray ?? []).AsSpan()));
        var weights = rows.WeightArray is null ? string.Empty : " with weights";
        var (count, content) = ((long)rows.Count, hash.GetHashAndReset());
        if (ranks is not null)
        {
            count = ranks.Numbers(count).Sum();
            content = SHA256.HashData([.. ranks.AllGather(content).SelectMany(part => part)]);
        }

        return $"{Text(count)} of shape {rows.Shape}{weights}{ContentStart}{Convert.ToHexStringLower(content)[..12]})";
    }

    // Without the seeds of the operators that draw numbers: they follow from the training's seed and move on with the steps.
    private static string Hash(TrainingStep step)
    {
        var model = step.Model.Clone();
        foreach (var attribute in model.Graph.Node.SelectMany(node => node.Attribute).Where(attribute => attribute.Name == "seed"))
        {
            attribute.I = 0;
            attribute.Ints.Clear();
        }

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(model.ToByteArray());
        foreach (var probe in Probes) hash.AppendData(MemoryMarshal.AsBytes(step.HostScalars(new StepContext(probe, 1, 0.5f)).AsSpan()));
        return $"sha256:{Convert.ToHexStringLower(hash.GetHashAndReset())}";
    }

    private static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);
}
