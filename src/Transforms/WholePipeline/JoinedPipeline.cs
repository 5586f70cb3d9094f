using MlNetBatchNorm.Onnx.Proto;

namespace MlNetBatchNorm.Transforms;

/// <summary>A pipeline as one graph, before its normalizers are folded.</summary>
/// <param name="Model">The graph.</param>
/// <param name="BatchNormsFolded">How many batch normalizations its networks have lost already.</param>
/// <param name="StockScopes">What the names of nodes from ML.NET's converter start with.</param>
internal sealed record JoinedPipeline(ModelProto Model, int BatchNormsFolded, IReadOnlyList<string> StockScopes);
