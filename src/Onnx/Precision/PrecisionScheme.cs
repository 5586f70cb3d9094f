using MlNetBatchNorm.Onnx.Graph;

namespace MlNetBatchNorm.Onnx.Precision;

/// <summary>One way to give a model fewer bits. Only the main graph is changed; subgraphs keep reading the values that they read.</summary>
internal abstract class PrecisionScheme
{
    /// <summary>The first operator set that has the operators that the scheme writes.</summary>
    public abstract long LeastOpset { get; }

    /// <summary>Changes a model in place and says what was done.</summary>
    /// <param name="editor">The model.</param>
    /// <param name="rows">Rows to see the model's own values on.</param>
    public abstract IReadOnlyList<PrecisionOutcome> Apply(ModelEditor editor, CalibrationRows rows);
}
