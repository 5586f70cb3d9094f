using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx.Execution.Scoring;
using MlNetBatchNorm.Onnx.Proto;
using MlNetBatchNorm.Transforms.AnyModel;
using MlNetBatchNorm.Transforms.Interop;

namespace MlNetBatchNorm;

/// <summary>An ONNX model as an estimator that learns nothing. Made by <c>ml.Transforms.ApplyOnnxModelBatched(…)</c>.</summary>
public sealed class BatchedOnnxEstimator : IEstimator<BatchedOnnxTransformer>
{
    private readonly Func<RowModelSettings, RowModel> _load;
    private readonly Func<ModelProto> _read;
    private readonly BatchedOnnxOptions _options;
    private readonly Device _device;
    private readonly OnnxColumns _columns;
    private RowModel? _first;

    internal BatchedOnnxEstimator(Func<RowModelSettings, RowModel> load, Func<ModelProto> read, BatchedOnnxOptions options, Device device)
    {
        _load = load;
        _read = read;
        _options = options.Copy();
        _device = device;

        // What is wrong with a model or an option shows at once, not in Fit.
        _first = Load();
        _columns = OnnxColumns.Create(_first, _options);
    }

    /// <summary>Checks that the data has the columns that the model reads.</summary>
    /// <param name="input">The data; no row is read.</param>
    /// <exception cref="ArgumentException">A column is missing, or has another type or size.</exception>
    public BatchedOnnxTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        var varying = _columns.Inputs
            .Select(column => column.Require(input.Schema))
            .Where(column => column.Type is VectorDataViewType { Size: 0 })
            .Select(column => column.Name)
            .FirstOrDefault();

        // Each transformer owns its model, so that disposing of one does not touch another.
        return new BatchedOnnxTransformer(Interlocked.Exchange(ref _first, null) ?? Load(), _read, _columns, _options, varying);
    }

    /// <inheritdoc/>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        foreach (var input in _columns.Inputs)
        {
            var names = inputSchema.Select(column => column.Name).ToArray();
            if (!names.Contains(input.Name))
                throw new ArgumentException(
                    $"There is no input column '{input.Name}'; the columns are {string.Join(", ", names)}.", nameof(inputSchema));
        }

        return _columns.Added.Aggregate(inputSchema, (shape, column) => MlNetInternals.Append(shape, column.Name, column.Type));
    }

    private RowModel Load() => _load(new RowModelSettings
    {
        Run = _options.ToRun(_device),
        Outputs = _options.Outputs is { } outputs ? [.. outputs.Keys] : null,
        Shapes = _options.Shapes,
        RowByRow = _options.RowByRow,
    });
}
