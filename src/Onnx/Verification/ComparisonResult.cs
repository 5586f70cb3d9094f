namespace MlNetBatchNorm.Onnx;

/// <summary>How far two models differ as functions.</summary>
public sealed record ComparisonResult
{
    internal ComparisonResult(IReadOnlyList<OutputDifference> outputs, int runs) =>
        (Outputs, Runs) = (outputs, runs);

    /// <summary>One entry for each output of the reference, in its order.</summary>
    public IReadOnlyList<OutputDifference> Outputs { get; }

    /// <summary>On how many sets of inputs both were run.</summary>
    public int Runs { get; }

    /// <summary>The largest absolute difference of any output.</summary>
    public double LargestAbsolute => Outputs.Count == 0 ? 0 : Outputs.Max(output => output.LargestAbsolute);

    /// <summary>The largest relative difference of any output; see <see cref="OutputDifference.LargestRelative"/>.</summary>
    public double LargestRelative => Outputs.Count == 0 ? 0 : Outputs.Max(output => output.LargestRelative);

    /// <summary>The output with the largest relative difference, or null when there is no output.</summary>
    public OutputDifference? Worst => Outputs.MaxBy(output => output.LargestRelative);
}
