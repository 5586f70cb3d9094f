using MlNetBatchNorm.Onnx;

namespace MlNetBatchNorm;

/// <summary>A pipeline that was exported as one file.</summary>
public sealed record FoldedPipeline
{
    internal FoldedPipeline(OnnxModel model) => Model = model;

    /// <summary>What is in the file.</summary>
    public OnnxModel Model { get; }

    /// <summary>The columns that it reads, with their element types and shapes; <c>N</c> stands for any number of rows.</summary>
    public required IReadOnlyList<TensorInfo> Inputs { get; init; }

    /// <summary>The columns that it gives.</summary>
    public required IReadOnlyList<TensorInfo> Outputs { get; init; }

    /// <summary>How many nodes the graph has.</summary>
    public required int Nodes { get; init; }

    /// <summary>
    /// How many batch normalizations of the networks are folded away, their standardization of the features included; 0 for networks out of
    /// saved models.
    /// </summary>
    public required int BatchNormsFolded { get; init; }

    /// <summary>
    /// How many normalized columns (<c>NormalizeMeanVariance</c>, <c>NormalizeMinMax</c>) became part of what stands behind them.
    /// </summary>
    public required int NormalizersFolded { get; init; }

    /// <summary>The affine normalizers that stay, as Mul and Add, each with the reason: "step (reason)".</summary>
    public required IReadOnlyList<string> NormalizersKept { get; init; }

    /// <summary>
    /// Whether the file takes any number of rows at once. False where a stock transform of the pipeline converts to a graph that is right
    /// for one row only; the first dimension of every input is 1 then.
    /// </summary>
    public required bool TakesBatches { get; init; }

    /// <summary>How many rows were compared.</summary>
    public required long RowsCompared { get; init; }

    /// <summary>How many predicted labels differ because the scores that decide lie closer together than the tolerance.</summary>
    public required long UndecidedLabels { get; init; }

    /// <summary>
    /// Values for which the file gives something else than ML.NET, whether the rows compared have them or not: a missing number, an empty
    /// text or one with a space in front or behind, tried in each raw column; each with the column and what is given instead. Some of
    /// ML.NET's conversions leave out what its transforms make of such values. Empty as a rule; where it is not, let no such value reach
    /// the file.
    /// </summary>
    public required IReadOnlyList<string> DiffersFor { get; init; }

    /// <summary>What was done to need fewer bits, and what that costs; null for float32.</summary>
    public PrecisionCheck? Reduction { get; init; }

    /// <summary>How far each output of the float32 file is from ML.NET's column at most.</summary>
    public required IReadOnlyList<OutputDifference> Differences { get; init; }

    /// <summary>The largest absolute difference of any output.</summary>
    public double LargestAbsolute => Differences.Max(output => output.LargestAbsolute);

    /// <summary>The largest difference in relation to the scale of its column.</summary>
    public double LargestRelative => Differences.Max(output => output.LargestRelative);
}
