using MlNetBatchNorm.Onnx.Execution;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// How models are run in batches. Of <see cref="ExecutionOptions.BatchSize"/>, ML.NET's cursors take at most 1024 rows by default, and fewer where
/// a row is so large that a batch would take more than 16 MiB. See <see cref="Microsoft.ML.MLContextDevice"/> for the device that an
/// <c>MLContext</c> names.
/// </summary>
public record BatchedScoringOptions : ExecutionOptions
{
    /// <summary>The defaults.</summary>
    public BatchedScoringOptions()
    {
    }

    internal BatchedScoringOptions(ExecutionOptions run)
        : base(run)
    {
    }
}
