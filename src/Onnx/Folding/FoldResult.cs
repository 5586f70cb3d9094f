namespace MlNetBatchNorm.Onnx.Folding;

/// <summary>A folded model, and what was done to get there. Counts include subgraphs.</summary>
public sealed record FoldResult
{
    /// <summary>The folded model: a new one, the given model is untouched. Large tensors that did not change are shared between both.</summary>
    public required OnnxModel Model { get; init; }

    /// <summary>What became of every batch normalization of the given model, in the order of its nodes.</summary>
    public required IReadOnlyList<BatchNormOutcome> BatchNorms { get; init; }

    /// <summary>Folds that lose precision, one line each; empty as a rule.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>How many nodes the given model has.</summary>
    public required int NodesBefore { get; init; }

    /// <summary>How many nodes the folded model has.</summary>
    public required int NodesAfter { get; init; }

    /// <summary>How many numbers the given model's initializers hold.</summary>
    public required long ParametersBefore { get; init; }

    /// <summary>How many numbers the folded model's initializers hold.</summary>
    public required long ParametersAfter { get; init; }

    /// <summary>The size of the given model, in bytes of its protobuf form.</summary>
    public required long BytesBefore { get; init; }

    /// <summary>The size of the folded model, in bytes of its protobuf form.</summary>
    public required long BytesAfter { get; init; }

    /// <summary>How many batch normalizations are gone (folded or composed) or became something simpler (rewritten).</summary>
    public int Removed => BatchNorms.Count(outcome => outcome.Status != FoldStatus.Declined);
}
