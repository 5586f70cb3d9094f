namespace MlNetBatchNorm.Onnx;

/// <summary>How far two models differ as functions.</summary>
/// <param name="Outputs">One entry for each output of the reference, in its order.</param>
/// <param name="Runs">On how many sets of inputs both were run.</param>
public sealed record ComparisonResult(IReadOnlyList<OutputDifference> Outputs, int Runs)
{
    /// <summary>The largest absolute difference of any output.</summary>
    public double LargestAbsolute => Outputs.Count == 0 ? 0 : Outputs.Max(output => output.LargestAbsolute);

    /// <summary>The largest relative difference of any output; see <see cref="OutputDifference.LargestRelative"/>.</summary>
    public double LargestRelative => Outputs.Count == 0 ? 0 : Outputs.Max(output => output.LargestRelative);

    /// <summary>The output with the largest relative difference, or null when there is no output.</summary>
    public OutputDifference? Worst => Outputs.MaxBy(output => output.LargestRelative);
}
