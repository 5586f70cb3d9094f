using MlNetBatchNorm.Onnx.Execution;

namespace MlNetBatchNorm.Onnx.Figures;

/// <summary>The right answers for the rows that a model is run on, and which of its outputs they are the answers to.</summary>
/// <param name="Values">
/// A tensor for each set of inputs, with an element for each row (<c>[N]</c> or <c>[N, 1]</c>):
/// <list type="bullet">
/// <item>0 or 1 (or Booleans) where the output has one value for each row: two classes, by a probability or a logit;</item>
/// <item>any other numbers there: the right numbers themselves;</item>
/// <item>the number of the class, from 0, where the output has several values for each row;</item>
/// <item>texts, where the model says what its classes are called (<see cref="ModelMetadata.Labels"/>).</item>
/// </list>
/// As many numbers as the output has (<c>[N, K]</c>) are the right numbers for each of its values.
/// </param>
internal sealed record RowLabels(IReadOnlyList<HostTensor> Values)
{
    /// <summary>What the labels are called, for messages.</summary>
    public string Name { get; init; } = "label";

    /// <summary>The output that is judged; null (the default) = the model's last one of real numbers.</summary>
    public string? Output { get; init; }
}
