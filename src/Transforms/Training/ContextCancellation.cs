using Microsoft.ML;
using Microsoft.ML.Transforms;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// Notices that a context was cancelled (by AutoML at the end of a trial's time, or by <c>CancelExecution</c> of Microsoft.ML.Experimental).
/// ML.NET tells nobody outside, but its own estimators stop in a context that was: one that does next to nothing is asked.
/// </summary>
internal sealed class ContextCancellation
{
    private readonly NormalizingEstimator _normalizer;
    private readonly IDataView _row;

    public ContextCancellation(MLContext context)
    {
        // Made once: each component that is made in a context draws from its generator. The row is read in a context of its own, so that
        // the log of the other does not hear of each reading.
        _normalizer = context.Transforms.NormalizeMinMax(nameof(Row.Value));
        _row = new MLContext().Data.LoadFromEnumerable([new Row()]);
    }

    /// <exception cref="OperationCanceledException">The context was cancelled.</exception>
    public void ThrowIfCancelled() => _normalizer.Fit(_row);

    private sealed class Row
    {
        public float Value { get; set; }
    }
}
