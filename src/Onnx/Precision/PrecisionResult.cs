namespace MlNetBatchNorm.Onnx;

/// <summary>A model with fewer bits, and what was done to get there.</summary>
public sealed record PrecisionResult
{
    internal PrecisionResult(
        OnnxModel model, ModelPrecision precision, IReadOnlyList<PrecisionOutcome> outcomes, long bytesBefore, long bytesAfter) =>
        (Model, Precision, Outcomes, BytesBefore, BytesAfter) = (model, precision, outcomes, bytesBefore, bytesAfter);

    /// <summary>The model: a new one, the given model is untouched.</summary>
    public OnnxModel Model { get; }

    /// <summary>Its precision.</summary>
    public ModelPrecision Precision { get; }

    /// <summary>What became of every weight or node that the precision is about.</summary>
    public IReadOnlyList<PrecisionOutcome> Outcomes { get; }

    /// <summary>The size of the given model, in bytes of its protobuf form.</summary>
    public long BytesBefore { get; }

    /// <summary>The size of the new model.</summary>
    public long BytesAfter { get; }
}

/// <summary>What became of one weight or node when a model got fewer bits.</summary>
public sealed record PrecisionOutcome
{
    internal PrecisionOutcome(string name, bool isReduced, string detail) =>
        (Name, IsReduced, Detail) = (name, isReduced, detail);

    /// <summary>The weight (float16) or the node (float16 arithmetic, int8).</summary>
    public string Name { get; }

    /// <summary>Whether it has fewer bits now.</summary>
    public bool IsReduced { get; }

    /// <summary>How that was done where there is a choice, or why it stays as it is: a clause.</summary>
    public string Detail { get; }
}
