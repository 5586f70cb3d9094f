namespace MlNetBatchNorm.Onnx;

/// <summary>How far one output of two models differs, over all runs.</summary>
/// <param name="Output">The output's name.</param>
/// <param name="LargestAbsolute">The largest |a − b|; infinite where one is NaN, or where text differs.</param>
/// <param name="LargestRelative">
/// The largest |a − b| of a run, divided by the largest magnitude that the reference gave in that run: rounding is relative to the scale of
/// an output, not to an element that happens to lie near zero.
/// </param>
public sealed record OutputDifference(string Output, double LargestAbsolute, double LargestRelative);
