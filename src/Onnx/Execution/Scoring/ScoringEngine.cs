namespace MlNetBatchNorm;

/// <summary>What computes the rows of an <see cref="Onnx.OnnxScorer"/>.</summary>
public enum ScoringEngine
{
    /// <summary>
    /// The quicker one, as measured while loading for one row and for more: ONNX Runtime, or for small dense networks on the CPU this
    /// library itself, where it proved to give ONNX Runtime's answers. The default.
    /// </summary>
    Auto,

    /// <summary>ONNX Runtime.</summary>
    OnnxRuntime,

    /// <summary>
    /// This library itself, for any number of rows: without the microseconds that a run of ONNX Runtime takes whatever is in it. Models
    /// with an operator that it does not know, or whose answers differ from ONNX Runtime's, are refused.
    /// </summary>
    Direct,
}
