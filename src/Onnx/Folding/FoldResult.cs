namespace MlNetBatchNorm.Onnx;

/// <summary>A folded model, and what was done to get there. Counts include subgraphs.</summary>
public sealed record FoldResult
{
    /// <summary>
    /// The folded model: a new one, the given model is untouched. Large tensors that did not change are shared between both.
    /// </summary>
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

/// <summary>What became of one batch normalization.</summary>
/// <param name="Name">The node's name, or that of its output when it has none.</param>
/// <param name="Status">What was done.</param>
/// <param name="Into">The names of the nodes that took it in, separated by commas; empty when it was declined.</param>
/// <param name="Reason">Why it was declined, or why it could only be rewritten; empty otherwise.</param>
public sealed record BatchNormOutcome(string Name, FoldStatus Status, string Into, string Reason);

/// <summary>What became of a batch normalization.</summary>
public enum FoldStatus
{
    /// <summary>It is gone: the weights of a neighbouring operator took it in.</summary>
    Folded,

    /// <summary>It is gone: another affine map (a batch normalization, a constant Mul or Add) took it in.</summary>
    Composed,

    /// <summary>Something simpler stands in its place.</summary>
    Rewritten,

    /// <summary>It stands where it stood.</summary>
    Declined,
}
