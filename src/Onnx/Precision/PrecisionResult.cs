namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>A model with fewer bits, and what was done to get there.</summary>
/// <param name="Model">The model: a new one, the given model is untouched.</param>
/// <param name="Precision">Its precision.</param>
/// <param name="Outcomes">What became of every weight or node that the precision is about.</param>
/// <param name="BytesBefore">The size of the given model, in bytes of its protobuf form.</param>
/// <param name="BytesAfter">The size of the new model.</param>
public sealed record PrecisionResult(
    OnnxModel Model, ModelPrecision Precision, IReadOnlyList<PrecisionOutcome> Outcomes, long BytesBefore, long BytesAfter);
