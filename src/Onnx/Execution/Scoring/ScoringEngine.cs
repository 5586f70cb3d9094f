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

    /// <summary>
    /// The same for any number of rows and each time that a model is loaded, so that predictions agree to the last digit: this library for
    /// dense networks of up to 65,536 multiplications a row, where it proved to give ONNX Runtime's answers, or else ONNX Runtime. Nothing is
    /// measured, so loading is quicker; what networks trained here are scored with inside ML.NET.
    /// </summary>
    Reproducible,
}
