using MlNetBatchNorm.Onnx.Execution.Sessions;

namespace MlNetBatchNorm.Onnx.Verification;

/// <summary>Rows to run a model on.</summary>
/// <param name="Inputs">Sets of inputs, each with a tensor for every input, by name.</param>
/// <param name="Labels">The right answers for them; null = not known.</param>
internal sealed record ModelRows(IReadOnlyList<IReadOnlyDictionary<string, HostTensor>> Inputs, RowLabels? Labels = null);
