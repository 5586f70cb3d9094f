using DataType = MlNetBatchNorm.Onnx.Proto.TensorProto.Types.DataType;

namespace MlNetBatchNorm.Onnx.Execution.Scoring;

/// <summary>An input or output of a model, as one row has it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its element type.</param>
/// <param name="Shape">The shape of one row's part; empty where that is a single value of an <c>[N]</c>.</param>
internal sealed record RowTensor(string Name, DataType Type, IReadOnlyList<long> Shape)
{
    /// <summary>The number of values of one row.</summary>
    public int Count { get; } = checked((int)Shape.Aggregate(1L, (product, size) => checked(product * size)));

    /// <inheritdoc/>
    public override string ToString() => $"{Name}: {Type}[{string.Join(", ", Shape)}] a row";
}
