using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx.Execution.Scoring;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Transforms.AnyModel;
using MlNetBatchNorm.Transforms.Rows;
using MlNetBatchNorm.Transforms.Saving;
using MlNetBatchNorm.Transforms.Scoring;

namespace MlNetBatchNorm;

/// <summary>An ONNX model as a transformer that adds a column for each of its outputs, a batch of rows at a time.</summary>
/// <remarks>
/// <c>ml.Model.Save</c> saves the model itself and the columns, but neither device nor threads nor batch size: <c>LoadBatched</c> takes new
/// ones. A model that always takes several rows at once cannot be saved, since ML.NET runs one row at a time.
/// </remarks>
public sealed class BatchedOnnxTransformer : BatchedTransformer
{
    private readonly RowModel _model;
    private readonly Func<ModelProto> _read;
    private readonly OnnxColumns _columns;
    private readonly BatchedOnnxOptions? _options;

    internal BatchedOnnxTransformer(RowModel model, Func<ModelProto> read, OnnxColumns columns, BatchedOnnxOptions options)
        : this(model, read, columns, options.BatchSize) => _options = options;

    /// <summary>In the place of one of ML.NET's own, with its columns; saved as that one was.</summary>
    internal BatchedOnnxTransformer(RowModel model, Func<ModelProto> read, IEnumerable<DataViewSchema.Column> added, int batchSize)
        : this(model, read, OnnxColumns.Create(model, null, added.Select(column => (column.Name, column.Type))), batchSize)
    {
    }

    private BatchedOnnxTransformer(RowModel model, Func<ModelProto> read, OnnxColumns columns, int batchSize)
        : base(
            model, new RowScoring(model.CreateBlock, columns.Inputs, columns.Added, model.Outputs.Sum(output => output.Count), batchSize))
    {
        _model = model;
        _read = read;
        _columns = columns;
    }

    /// <summary>The column that each input of the model reads, by the input's name.</summary>
    public IReadOnlyDictionary<string, string> InputColumns =>
        _columns.Inputs.ToDictionary(input => input.Tensor.Name, input => input.Name);

    /// <summary>The columns that are added, in order.</summary>
    public IReadOnlyList<string> OutputColumns => [.. _columns.Added.Select(column => column.Name)];

    /// <summary>The device in use.</summary>
    public Device Device => _model.Device;

    private protected override void Save(ModelSaveContext context)
    {
        var form = _options is null
            ? new SavedForm(_read()) { Outputs = [.. _model.Outputs.Select(output => output.Name)] }
            : SavedScoreOnnx.Create(_model, _read(), _columns, _options);
        form.Save(
            context,
            _columns.Inputs.Select(input => (
                input.Name, (DataViewType)new VectorDataViewType(TensorTypes.ItemOf(input.Tensor.Type), input.Tensor.Count))));
    }
}
