using MlNetBatchNorm.Onnx.Folding;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Onnx.Verification;

namespace MlNetBatchNorm.Trainer;

/// <summary>A trained network as ONNX, with its batch normalizations and without.</summary>
/// <param name="Unfolded">The network as it was trained, with BatchNormalization nodes.</param>
/// <param name="Folded">The same function without them: the one to deploy.</param>
/// <param name="Folding">What became of each batch normalization.</param>
/// <param name="Verification">How far the two differ on real rows.</param>
public sealed record ExportedNetwork(ModelProto Unfolded, ModelProto Folded, FoldResult Folding, ComparisonResult Verification);
