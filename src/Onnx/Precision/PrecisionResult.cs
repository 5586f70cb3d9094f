namespace MlNetBatchNorm.Onnx;

/// <summary>A model with fewer bits, and what was done to get there.</summary>
/// <param name="Model">The model: a new one, the given model is untouched.</param>
/// <param name="Precision">Its precision.</param>
/// <param name="Outcomes">What became of every weight or node that the precision is about.</param>
/// <param name="BytesBefore">The size of the given model, in bytes of its protobuf form.</param>
/// <param name="BytesAfter">The size of the new model.</param>
public sealed record PrecisionResult(
    OnnxModel Model, ModelPrecision Precision, IReadOnlyList<PrecisionOutcome> Outcomes, long BytesBefore, long BytesAfter);

/// <summary>What became of one weight or node when a model got fewer bits.</summary>
/// <param name="Name">The weight (float16) or the node (float16 arithmetic, int8).</param>
/// <param name="IsReduced">Whether it has fewer bits now.</param>
/// <param name="Detail">How that was done where there is a choice, or why it stays as it is: a clause.</param>
public sealed record PrecisionOutcome(string Name, bool IsReduced, string Detail);
