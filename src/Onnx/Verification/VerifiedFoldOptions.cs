using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Onnx.Folding;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>How <see cref="VerifiedFold"/> folds and compares.</summary>
public sealed record VerifiedFoldOptions
{
    /// <summary>How to fold.</summary>
    public FoldOptions Fold { get; init; } = new();

    /// <summary>Whether the models are compared. Default: true.</summary>
    public bool Compare { get; init; } = true;

    /// <summary>
    /// The largest difference in relation to the scale of an output; see <see cref="OutputDifference.LargestRelative"/>. Default: null, which
    /// means 1e-4, and 1e-2 for float16, 5e-2 for bfloat16.
    /// </summary>
    public double? Tolerance { get; init; }

    /// <summary>Where the models are compared. Default: the CPU.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>A file or folder with inputs to compare on, see <see cref="InputFiles"/>; null to generate them. Ignored without <see cref="Compare"/>.</summary>
    public string? InputsPath { get; init; }
}
