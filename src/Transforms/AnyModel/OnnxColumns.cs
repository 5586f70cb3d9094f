using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx.Execution.Scoring;
using MlNetBatchNorm.Transforms.Rows;
using MlNetBatchNorm.Transforms.Scoring;

namespace MlNetBatchNorm.Transforms.AnyModel;

/// <summary>The columns that a model reads and adds.</summary>
/// <param name="Inputs">Those it reads, in the order of its inputs.</param>
/// <param name="Added">Those it adds, in the order of its outputs.</param>
internal sealed record OnnxColumns(IReadOnlyList<InputColumn> Inputs, IReadOnlyList<ScoreColumn> Added)
{
    /// <exception cref="ArgumentException">The options name an input that the model does not have, or one column twice.</exception>
    public static OnnxColumns Create(RowModel model, BatchedOnnxOptions options)
    {
        foreach (var name in options.Inputs?.Keys ?? [])
            if (model.Inputs.All(input => input.Name != name))
                throw new ArgumentException(
                    $"The model has no input '{name}'; its inputs are {string.Join(", ", model.Inputs.Select(input => input.Name))}.",
                    nameof(options));
        (string Name, DataViewType Type)[] added =
        [
            .. model.Outputs.Select(output => (
                options.Outputs?[output.Name] ?? output.Name, TypeOf(output, output.Count == 1 && !options.SingleValuesAsVectors))),
        ];
        if (added.GroupBy(column => column.Name, StringComparer.Ordinal).FirstOrDefault(same => same.Count() > 1) is { } twice)
            throw new ArgumentException($"Two outputs would become the column '{twice.Key}'; give them different names.", nameof(options));
        return Create(model, options.Inputs, added);
    }

    /// <summary>Columns of given names and types.</summary>
    public static OnnxColumns Create(
        RowModel model, IReadOnlyDictionary<string, string>? inputs, IEnumerable<(string Name, DataViewType Type)> added) => new(
        [.. model.Inputs.Select((input, index) => new InputColumn(inputs?.GetValueOrDefault(input.Name) ?? input.Name, input, index))],
        [.. added.Select((column, index) => ScoreColumn.Of(column.Name, column.Type, model.Outputs[index], index))]);

    /// <summary>The type of the column that an output becomes.</summary>
    public static DataViewType TypeOf(RowTensor output, bool isScalar)
    {
        var item = TensorTypes.ItemOf(output.Type);
        int[] shape = output.Shape.Count == 0 ? [1] : [.. output.Shape.Select(size => checked((int)size))];
        return isScalar ? item : new VectorDataViewType(item, shape);
    }
}
