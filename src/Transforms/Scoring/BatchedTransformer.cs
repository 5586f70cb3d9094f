using Microsoft.ML;
using Microsoft.ML.Data;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// A transformer around an ONNX model that adds columns. Whole views are scored a batch at a time, single rows through buffers that are bound
/// once. Safe for many threads: each cursor and each row has buffers of its own.
/// </summary>
/// <remarks>
/// Saved with <c>ml.Model.Save</c> it loads back as a chain of ML.NET's own transformers around the same model, which ML.NET runs row by row;
/// <c>ml.Model.ForBatchedScoring(loaded)</c> makes that fast again.
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
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        return _scoring.OutputSchema(inputSchema);
    }

    /// <inheritdoc/>
    public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        return new ScoringRowMapper(inputSchema, _scoring);
    }

    /// <summary>Scores a view, lazily: nothing runs until a cursor moves, and only if one of the added columns is asked for.</summary>
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

    void ICanSaveModel.Save(ModelSaveContext ctx) => SavedNetwork.Save(ctx, ToSaved(), _scoring.Inputs);

    /// <summary>Releases the model.</summary>
    /// <param name="disposing">Whether <see cref="Dispose()"/> was called.</param>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing) _model.Dispose();
    }

    /// <summary>The form in which ML.NET saves the model.</summary>
    private protected abstract SavedForm ToSaved();
}
