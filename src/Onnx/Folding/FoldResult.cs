namespace MlNetBatchNorm.Onnx;

/// <summary>A folded model, and what was done to get there. Counts include subgraphs.</summary>
public sealed record FoldResult
{
    internal FoldResult()
    {
    }

    /// <summary>
    /// The folded model: a new one, the given model is untouched. Large tensors that did not change are shared between both.
    /// </summary>
    public required OnnxModel Model { get; init; }

    /// <summary>What became of every batch normalization of the given model, in the order of its nodes.</summary>
    public required IReadOnlyList<BatchNormOutcome> BatchNorms { get; init; }

    /// <summary>
    /// Chains of Mul, Div, Add, Sub and Neg with constants behind a layer, which is how exporters write a frozen batch normalization: those
    /// that were folded, and those with a scale and a shift for each channel that were not. They do not count as batch normalizations.
    /// </summary>
    public IReadOnlyList<BatchNormOutcome> Chains { get; init; } = [];

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
public sealed record BatchNormOutcome
{
    internal BatchNormOutcome(string name, FoldStatus status, string into, string reason) =>
        (Name, Status, Into, Reason) = (name, status, into, reason);

    /// <summary>The node's name, or that of its output when it has none.</summary>
    public string Name { get; internal init; }

    /// <summary>What was done.</summary>
    public FoldStatus Status { get; internal init; }

    /// <summary>The names of the nodes that took it in, separated by commas; empty when it was declined.</summary>
    public string Into { get; internal init; }

    /// <summary>Why it was declined, or why it could only be rewritten; empty otherwise.</summary>
    public string Reason { get; internal init; }

    /// <summary>
    /// What would have to be true for a fold ("no scale were negative"); empty when it is folded, or when nothing would help.
    /// </summary>
    public string WouldFoldIf { get; internal init; } = string.Empty;

    /// <summary>The operators that it consists of, separated by commas; <c>BatchNormalization</c> for a node of that kind.</summary>
    public string Operators { get; internal init; } = "BatchNormalization";

    /// <summary>
    /// The error that the folded model makes in the part of the graph that took the batch normalization in: how far the part, computed in
    /// the model's own types, lies from what float64 says; for one that was declined because of it, the error that folding would make. Null
    /// where that was not computed.
    /// </summary>
    public double? AbsoluteError { get; internal init; }

    /// <summary>The same in relation to the largest value in the channel of the part's output where that is worst.</summary>
    public double? RelativeError { get; internal init; }

    /// <summary>The error that the given model makes there.</summary>
    public double? RelativeErrorBefore { get; internal init; }
}

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
