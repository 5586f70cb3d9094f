using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Transforms.Scoring;

namespace MlNetBatchNorm;

/// <summary>
/// A transformer around an ONNX model that adds columns. Whole views are scored a batch at a time, single rows through buffers that are
/// bound once. Safe for many threads: each cursor and each row has buffers of its own.
/// </summary>
/// <remarks>
/// Saved with <c>ml.Model.Save</c> it loads back as a chain of ML.NET's own transformers around the same model, which ML.NET runs row by
/// row; <c>ml.Model.LoadBatched</c> loads it as it was.
/// <para>
/// A <c>PredictionEngine</c> disposes of the transformer that it was made from when it is disposed of itself, unless it is made with
/// <c>new PredictionEngineOptions { OwnsTransformer = false }</c>.
/// </para>
/// </remarks>
public abstract class BatchedTransformer : ITransformer, IDisposable
{
    private readonly RowScoring _scoring;
    private readonly IDisposable _model;

    private protected BatchedTransformer(IDisposable model, RowScoring scoring)
    {
        _model = model;
        _scoring = scoring;
    }

    /// <summary>Always true: each row is scored by itself.</summary>
    public bool IsRowToRowMapper => true;

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The transformer was disposed of.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        return _scoring.OutputSchema(inputSchema);
    }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The transformer was disposed of.</exception>
    public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        return new ScoringRowMapper(inputSchema, _scoring);
    }

    /// <summary>Scores a view, lazily: nothing runs until a cursor moves, and only if one of the added columns is asked for.</summary>
    /// <param name="input">The view.</param>
    /// <exception cref="ObjectDisposedException">The transformer was disposed of.</exception>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new ScoredDataView(input, _scoring);
    }

    /// <summary>Releases the model. Views and engines made from the transformer cannot be used afterwards.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    void ICanSaveModel.Save(ModelSaveContext ctx) => Save(ctx);

    /// <summary>Releases the model.</summary>
    /// <param name="disposing">Whether <see cref="Dispose()"/> was called.</param>
    protected virtual void Dispose(bool disposing)
    {
        if (!disposing) return;
        _scoring.End(GetType().Name);
        _model.Dispose();
    }

    /// <summary>Saves the model in terms of ML.NET's own transformers.</summary>
    private protected abstract void Save(ModelSaveContext context);
}
