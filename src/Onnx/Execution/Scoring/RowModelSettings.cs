namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>How a <see cref="RowModel"/> is to be read and run.</summary>
internal sealed record RowModelSettings
{
    /// <summary>Where and how it is run.</summary>
    public ExecutionOptions Run { get; init; } = new();

    /// <summary>The outputs to compute, in this order; null = all of the model's.</summary>
    public IReadOnlyList<string>? Outputs { get; init; }

    /// <summary>
    /// The shape of one row, by the name of the input or output, where the model leaves more than the first dimension free; the first
    /// dimension is not part of it.
    /// </summary>
    public IReadOnlyDictionary<string, IReadOnlyList<long>>? Shapes { get; init; }

    /// <summary>
    /// Whether the tensors have no dimension for rows: each tensor as a whole is what one row has, a free first dimension is 1, and every row
    /// is a run of its own. Default: false, the first dimension counts rows.
    /// </summary>
    public bool RowByRow { get; init; }
}
