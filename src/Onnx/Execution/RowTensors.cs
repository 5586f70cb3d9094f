namespace MlNetBatchNorm.Onnx.Execution;

/// <summary>The tensors that rows lie in.</summary>
/// <param name="Inputs">The inputs.</param>
/// <param name="Outputs">The outputs to compute.</param>
/// <param name="FixedRows">The number of rows that the model always takes; null = any.</param>
/// <param name="HasRowAxis">Whether the first axis of each tensor counts rows; where not, each tensor as a whole is one row.</param>
internal sealed record RowTensors(IReadOnlyList<RowTensor> Inputs, IReadOnlyList<RowTensor> Outputs, int? FixedRows, bool HasRowAxis = true);
