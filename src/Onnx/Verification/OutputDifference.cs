namespace MlNetBatchNorm.Onnx;

/// <summary>How far one output of two models differs, over all runs.</summary>
public sealed record OutputDifference
{
    internal OutputDifference(string output, double largestAbsolute, double largestRelative) =>
        (Output, LargestAbsolute, LargestRelative) = (output, largestAbsolute, largestRelative);

    /// <summary>The output's name.</summary>
    public string Output { get; }

    /// <summary>The largest |a − b|; infinite where one is NaN, or where text differs.</summary>
    public double LargestAbsolute { get; }

    /// <summary>
    /// The largest |a − b| of a run, divided by the largest magnitude that the reference gave in that run: rounding is relative to the
    /// scale of an output, not to an element that happens to lie near zero.
    /// </summary>
    public double LargestRelative { get; }
}
