using System.Globalization;
using MlNetBatchNorm.Onnx.Execution.Sessions;
using MlNetBatchNorm.Onnx.Graph;
using MlNetBatchNorm.Onnx.Proto;
using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx;

/// <summary>What <see cref="BatchNormFolder.FoldFile"/> did: a file is written only when both models give the same answers.</summary>
public sealed record FoldFileResult
{
    /// <summary>What was folded.</summary>
    public required FoldResult Fold { get; init; }

    /// <summary>How far both models differ; null when they were not compared.</summary>
    public required ComparisonResult? Comparison { get; init; }

    /// <summary>The largest relative difference that was allowed.</summary>
    public required double Tolerance { get; init; }

    /// <summary>The folded model with fewer bits; null for float32, and when folding has already changed too much.</summary>
    public PrecisionCheck? Reduction { get; init; }

    /// <summary>Whether folding stayed within its tolerance, or was not compared.</summary>
    public bool IsFoldWithin => Comparison is null || Comparison.LargestRelative <= Tolerance;

    /// <summary>Whether a model was written: nothing was compared, or all stays within the tolerances.</summary>
    public bool IsWritten => IsFoldWithin && Reduction?.IsWithin != false;

    /// <summary>See <see cref="BatchNormFolder.FoldFile"/>.</summary>
    internal static FoldFileResult Run(string inputPath, string outputPath, FoldFileOptions options)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(outputPath))!;
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"There is no folder '{folder}' to write '{Path.GetFileName(outputPath)}' to.");
        var fold = ReadAndFold(inputPath, options.Fold);
        var tolerance = options.Tolerance ?? DefaultTolerance(fold.Model.Proto);
        var needsInputs = options.Compare || options.Precision != ModelPrecision.Float32;
        var rows = needsInputs ? options.Inputs?.For(fold.Model) : null;
        var inputs = rows?.Inputs;
        var comparison = options.Compare ? Compare(inputPath, outputPath, fold.Model.Proto, inputs, options.Device) : null;
        var result = new FoldFileResult { Fold = fold, Comparison = comparison, Tolerance = tolerance };
        if (!result.IsFoldWithin) return result;
        if (comparison is not null)
        {
            ModelFile.SetMetadata(
                fold.Model.Proto, ModelMetadata.LargestAbsoluteDifference,
                comparison.LargestAbsolute.ToString("R", CultureInfo.InvariantCulture));
            ModelFile.SetMetadata(
                fold.Model.Proto, ModelMetadata.LargestRelativeDifference,
                comparison.LargestRelative.ToString("R", CultureInfo.InvariantCulture));
        }

        if (options.Precision != ModelPrecision.Float32)
        {
            var check = new PrecisionCheckOptions
            {
                Tolerance = options.PrecisionTolerance,
                Compare = options.Compare,
                Device = options.Device,
                Loss = options.PrecisionLoss,
            };
            var labels = rows?.Labels is { } known ? known with { Output = options.LabeledOutput ?? known.Output } : null;
            result = result with { Reduction = PrecisionCheck.Run(fold.Model.Proto, options.Precision, inputs, check, labels) };
        }

        if (result.IsWritten) (result.Reduction?.Result.Model ?? fold.Model).Save(outputPath);
        return result;
    }

    // The original is let go before ONNX Runtime loads its own copies from the files.
    private static FoldResult ReadAndFold(string path, FoldOptions options) => BatchNormFolder.Fold(ModelFile.Read(path), options);

    private static ComparisonResult Compare(
        string inputPath, string outputPath, ModelProto folded, IReadOnlyList<IReadOnlyDictionary<string, HostTensor>>? inputs,
        Device device)
    {
        var candidate = $"{Path.GetFullPath(outputPath)}.{Guid.NewGuid():N}.tmp";
        try
        {
            ModelFile.Write(folded, candidate);
            return ModelComparison.Compare(inputPath, candidate, inputs, device);
        }
        finally
        {
            File.Delete(candidate);
            File.Delete($"{candidate}.data");
        }
    }

    // Half precision keeps eleven bits (bfloat16: eight), and a sum over a layer loses some of them.
    private static double DefaultTolerance(ModelProto model) =>
        model.Graph.Initializer.Any(tensor => (DataType)tensor.DataType == DataType.Bfloat16) ? 5e-2
        : model.Graph.Initializer.Any(tensor => (DataType)tensor.DataType == DataType.Float16) ? 1e-2
        : 1e-4;
}
