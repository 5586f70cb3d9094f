namespace MlNetBatchNorm;

/// <summary>Which columns an ONNX model reads and adds, and how it is run.</summary>
public sealed record BatchedOnnxOptions : BatchedScoringOptions
{
    /// <summary>
    /// The column for each input of the model, by the input's name; an input that is not mentioned reads the column that is called like it.
    /// Null (the default) = all are called alike.
    /// </summary>
    public IReadOnlyDictionary<string, string>? Inputs { get; init; }

    /// <summary>
    /// The outputs that become columns, in this order: the column's name by the output's name. Null (the default) = all outputs, under
    /// their own names.
    /// </summary>
    public IReadOnlyDictionary<string, string>? Outputs { get; init; }

    /// <summary>
    /// The shape of one row, by the name of the input or output, where the model leaves more than the number of rows free; the first
    /// dimension is not part of it (<c>["image"] = [3, 224, 224]</c>). Often the inputs are enough: the sizes of outputs follow by ONNX
    /// Runtime's shape inference, or else by what comes out for zeros. The model itself stays as it is.
    /// </summary>
    public IReadOnlyDictionary<string, IReadOnlyList<long>>? Shapes { get; init; }

    /// <summary>
    /// Whether the model's tensors have no dimension that counts rows: each tensor as a whole is then what one row has (a free first
    /// dimension is 1), and every row is a run of its own. Default: false.
    /// </summary>
    public bool RowByRow { get; init; }

    /// <summary>
    /// Whether an output with one value for a row, whatever its shape (<c>[N]</c>, <c>[N, 1]</c>, …), becomes a vector of one value, as
    /// ML.NET's own transformer gives it. Default: false, it becomes a scalar, as <c>Evaluate</c> wants it.
    /// </summary>
    public bool SingleValuesAsVectors { get; init; }

    /// <summary>A copy that nobody changes from outside.</summary>
    internal BatchedOnnxOptions Copy() => this with
    {
        Inputs = Inputs?.ToDictionary(StringComparer.Ordinal),
        Outputs = Outputs?.ToDictionary(StringComparer.Ordinal), // In the same order, which is that of the outputs.
        Shapes = Shapes?.ToDictionary(StringComparer.Ordinal),
    };
}
