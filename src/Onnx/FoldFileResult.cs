using System.Globalization;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Files;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Verification;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx;

/// <summary>What <see cref="BatchNormFolder.FoldFile"/> did: what is written is proved to give the same answers.</summary>
public sealed record FoldFileResult
{
    internal FoldFileResult()
    {
    }

    /// <summary>What was folded, each with its error.</summary>
    public required FoldResult Fold { get; init; }

    /// <summary>
    /// How far both models differ as wholes, with ONNX Runtime's graph optimizations off; null when they were not compared. Where the fold
    /// is proved by parts, this is rounding, however large: a network may be steep.
    /// </summary>
    public ComparisonResult? Comparison { get; init; }

    /// <summary>
    /// How far the folded model, as it is served, differs from the given one with optimizations off; null when it was not run.
    /// </summary>
    public ComparisonResult? Served { get; init; }

    /// <summary>
    /// What makes serving differ by more than rounding, as a clause ("ONNX Runtime's Pad_Fusion"); null where nothing does.
    /// </summary>
    public string? ServedCulprit { get; init; }

    /// <summary>Why the models were not compared as wholes, as a clause; null where they were, or were not to be.</summary>
    public string? WhyNotCompared { get; init; }

    /// <summary>What a difference is measured by; see <see cref="FoldFileOptions.Tolerance"/>.</summary>
    public required double Tolerance { get; init; }

    /// <summary>The folded model with fewer bits; null for float32, and when folding has already changed too much.</summary>
    public PrecisionCheck? Reduction { get; init; }

    /// <summary>Whether the models as wholes stay within a tolerance that was given, or none was.</summary>
    public bool IsFoldWithin => !IsHeldToTolerance || Comparison is null || Comparison.LargestRelative <= Tolerance;

    /// <summary>Whether a model was written.</summary>
    public bool IsWritten => IsFoldWithin && Reduction?.IsWithin != false;

    // Some tens of thousands more and ONNX Runtime takes minutes to load a model.
    private const int MostNodesServed = 20_000;

    // By parts, a fold is judged already.
    private bool IsHeldToTolerance { get; init; }

    /// <summary>See <see cref="BatchNormFolder.FoldFile"/>.</summary>
    internal static FoldFileResult Run(string inputPath, string outputPath, FoldFileOptions options)
    {
        AtomicFile.RequireWritable(outputPath);
        options.Stage?.Invoke("reading the model", 0, 0);
        var model = ModelFile.Read(inputPath);
        var needsInputs = options.Proof != FoldProof.None || options.Precision != ModelPrecision.Float32;
        var rows = needsInputs ? options.Inputs?.For(new OnnxModel(model)) : null;
        var result = new FoldFileResult
        {
            Fold = null!,
            Tolerance = options.Tolerance ?? DefaultTolerance(model),
            IsHeldToTolerance = options.Tolerance is not null,
        };
        var nodes = model.Graph.Node.Count;
        var isLeft = options is { Proof: null, Tolerance: null, Inputs: null } && nodes > MostNodesServed;
        result = (options.Proof ?? (isLeft ? FoldProof.Parts : FoldProof.Served)) switch
        {
            FoldProof.None => result with { Fold = BatchNormFolder.Fold(model, options.Fold) },
            FoldProof.Parts => result with
            {
                Fold = ByParts(
                    ProvenFold.Run(model, options.Fold, options.Tolerance, rows?.Inputs, options.Stage, options.CancellationToken)),
                WhyNotCompared = isLeft
                    ? string.Create(
                        CultureInfo.InvariantCulture,
                        $"it has {nodes:N0} nodes; beyond {MostNodesServed:N0} that takes minutes: --proof served does it")
                    : null,
            },
            FoldProof.Served => result.AsServed(
                ProvenFold.Run(model, options.Fold, options.Tolerance, rows?.Inputs, options.Stage, options.CancellationToken),
                inputPath,
                outputPath,
                rows?.Inputs,
                options),
            _ => throw new ArgumentOutOfRangeException(nameof(options), options.Proof, "Unknown proof."),
        };
        if (!result.IsFoldWithin) return result;
        if (result.Comparison is { } comparison)
        {
            result.Note(ModelMetadata.LargestAbsoluteDifference, comparison.LargestAbsolute);
            result.Note(ModelMetadata.LargestRelativeDifference, comparison.LargestRelative);
        }

        options.CancellationToken.ThrowIfCancellationRequested();
        if (options.Precision != ModelPrecision.Float32)
        {
            options.Stage?.Invoke("comparing the model with fewer bits", 0, 0);
            result = result with { Reduction = Reduce(result.Fold, rows, options) };
        }

        if (!result.IsWritten) return result;
        options.Stage?.Invoke("writing the model", 0, 0);
        (result.Reduction?.Result.Model ?? result.Fold.Model).Save(outputPath);
        return result;
    }

    private static FoldResult ByParts(ProvenFold proven)
    {
        if (proven.Unknown.Count > 0) proven.DeclineUnknown(string.Empty);
        return proven.Fold;
    }

    // What cannot be computed by itself is judged by the models as wholes, or left alone where these cannot be compared either.
    private FoldFileResult AsServed(
        ProvenFold proven,
        string inputPath,
        string outputPath,
        IReadOnlyList<IReadOnlyDictionary<string, HostTensor>>? inputs,
        FoldFileOptions options)
    {
        while (true)
        {
            options.Stage?.Invoke("comparing both models as wholes", 0, 0);
            var whole = Compare(inputPath, outputPath, proven.Fold.Model.Proto, inputs, options);
            if (proven.Unknown.Count > 0 && !(whole.Plain?.LargestRelative <= Math.Max(Tolerance, 8 * whole.Noise)))
            {
                proven.DeclineUnknown(
                    whole.Plain is { } plain
                        ? string.Create(
                            CultureInfo.InvariantCulture,
                            $", and the models as wholes differ by {plain.LargestRelative:G3} of an output's scale")
                        : $", and the models cannot be compared as wholes: {whole.WhyNot}");
                continue;
            }

            return this with
            {
                Fold = proven.Fold,
                Comparison = whole.Plain,
                Served = whole.Served,
                ServedCulprit = whole.Culprit,
                WhyNotCompared = whole.WhyNot,
            };
        }
    }

    private ServedComparison Compare(
        string inputPath,
        string outputPath,
        ModelProto folded,
        IReadOnlyList<IReadOnlyDictionary<string, HostTensor>>? inputs,
        FoldFileOptions options)
    {
        // A large model has room where it is to be written; the system's temporary folder may be memory. Beside a device there is no room.
        using var folder = new ScratchFolder(
            "fold", AtomicFile.IsPlain(outputPath) ? Path.GetDirectoryName(Path.GetFullPath(outputPath)) : null);
        var candidate = folder.File("folded.onnx");
        ModelFile.Write(folded, candidate);
        var (was, now) = (new ComparedFile(inputPath, $"'{inputPath}'"), new ComparedFile(candidate, "the folded model"));
        // A device of the caller's own cannot be named to another process.
        return options.Process is { } process && options.Device.Kind != DeviceKind.Custom
            ? process.Compare(was, now, inputs, options.Device, Tolerance, options.CancellationToken)
            : ServedComparison.Of(was, now, inputs, options.Device, Tolerance);
    }

    private static PrecisionCheck Reduce(FoldResult fold, ModelRows? rows, FoldFileOptions options)
    {
        var check = new PrecisionCheckOptions
        {
            Tolerance = options.PrecisionTolerance,
            Compare = options.Proof != FoldProof.None,
            Device = options.Device,
            Loss = options.PrecisionLoss,
        };
        var labels = rows?.Labels is { } known ? known with { Output = options.LabeledOutput ?? known.Output } : null;
        return PrecisionCheck.Run(fold.Model.Proto, options.Precision, rows?.Inputs, check, labels);
    }

    private void Note(string key, double value) =>
        ModelFile.SetMetadata(Fold.Model.Proto, key, value.ToString("R", CultureInfo.InvariantCulture));

    // Half precision keeps eleven bits (bfloat16: eight), and a sum over a layer loses some of them.
    internal static double DefaultTolerance(ModelProto model) => PartProof.DefaultTolerance(
        model.Graph.Initializer.Select(tensor => (DataType)tensor.DataType)
            .Where(type => type is DataType.Bfloat16 or DataType.Float16).Order().LastOrDefault(DataType.Float));
}
