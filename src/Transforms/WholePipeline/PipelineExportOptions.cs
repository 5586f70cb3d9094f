namespace MlNetBatchNorm.Transforms;

/// <summary>What an exported pipeline gives, and how it is compared with the original.</summary>
public sealed record PipelineExportOptions
{
    /// <summary>
    /// The columns that the file gives; null (the default) = those of <c>Score</c>, <c>Probability</c> and <c>PredictedLabel</c> that the pipeline has.
    /// </summary>
    public IReadOnlyList<string>? Outputs { get; init; }

    /// <summary>
    /// The largest difference from ML.NET's predictions that is allowed, in relation to the largest magnitude of the column over all rows compared.
    /// Texts, booleans and whole numbers must be the same; only a <c>PredictedLabel</c> may differ where the scores that decide it lie closer
    /// together than that. Default: 1e-4.
    /// </summary>
    public double Tolerance { get; init; } = 1e-4;

    /// <summary>How many of the rows are compared, from the first on; null (the default) = all.</summary>
    public long? MaximumRows { get; init; }

    /// <summary>Further metadata for the file; see <see cref="Onnx.ModelMetadata"/> for the keys that are set anyway.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();
}
