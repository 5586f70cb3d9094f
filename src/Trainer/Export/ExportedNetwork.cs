using MlNetBatchNorm.Onnx;
using MlNetBatchNorm.Onnx.Folding;
using MlNetBatchNorm.Onnx.Verification;

namespace MlNetBatchNorm.Trainer;

/// <summary>A trained network as ONNX, with its batch normalizations and without.</summary>
/// <param name="Unfolded">The network as it was trained, with BatchNormalization nodes.</param>
/// <param name="Folded">The same function without them.</param>
/// <param name="Folding">What became of each batch normalization.</param>
/// <param name="Verification">How far the two differ on real rows.</param>
/// <param name="Reduced">The folded one with fewer bits, where the options ask for it; otherwise null.</param>
public sealed record ExportedNetwork(
    OnnxModel Unfolded, OnnxModel Folded, FoldResult Folding, ComparisonResult Verification, ReducedNetwork? Reduced = null)
{
    /// <summary>
    /// What a change of the last digit in the rows does to an output, in relation to its scale, where folding did more than the tolerance and that
    /// is why; null = folding stayed within the tolerance. See <see cref="ExportOptions.Tolerance"/>.
    /// </summary>
    public double? RoundingNoise { get; init; }

    /// <summary>The model to deploy: folded, in the precision that was asked for.</summary>
    public OnnxModel Deployed => Reduced?.Model ?? Folded;
}
