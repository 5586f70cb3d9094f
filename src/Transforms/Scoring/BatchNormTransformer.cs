using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx.Execution;
using MlNetBatchNorm.Trainer;

namespace MlNetBatchNorm.Transforms;

/// <summary>
/// A trained network as a transformer: adds the columns of its task. Whole views are scored a batch at a time, single rows through buffers
/// that are bound once.
/// </summary>
/// <remarks>
/// Saved with <c>ml.Model.Save</c> it loads back as a chain of ML.NET's own transformers around the same ONNX model, which ML.NET runs row by
/// row.
/// </remarks>
public abstract class BatchNormTransformer : ISingleFeaturePredictionTransformer<TrainedNetwork>, IDisposable
{
    private readonly RowScoring _scoring;

    private protected BatchNormTransformer(FittedNetwork fitted, string[] outputs, IReadOnlyList<ScoreColumn> columns)
    {
        Network = fitted.Network;
        Export = fitted.Export;
        var scorer = Scorer.Load(fitted.Export.Deployed, new ScorerSettings { Device = fitted.Device, Outputs = outputs });
        _scoring = new RowScoring(scorer, fitted.FeatureColumnName, columns);
    }

    /// <summary>What is predicted.</summary>
    public abstract TaskKind Task { get; }

    /// <summary>The network with its parameters and the history of its training.</summary>
    public TrainedNetwork Network { get; }

    /// <summary>The network as ONNX: unfolded, folded, and in the precision that the options ask for; and how far they differ.</summary>
    public ExportedNetwork Export { get; }

    /// <summary>The column that is read.</summary>
    public string FeatureColumnName => _scoring.FeatureColumnName;

    /// <summary>The scorer behind the transformer, for use without ML.NET.</summary>
    public Scorer Scorer => _scoring.Scorer;

    /// <summary>Always true: each row is scored by itself.</summary>
    public bool IsRowToRowMapper => true;

    TrainedNetwork IPredictionTransformer<TrainedNetwork>.Model => Network;

    DataViewType ISingleFeaturePredictionTransformer<TrainedNetwork>.FeatureColumnType =>
        new VectorDataViewType(NumberDataViewType.Single, Scorer.RowLength);

    /// <inheritdoc/>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => _scoring.OutputSchema(inputSchema);

    /// <inheritdoc/>
    public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => new ScoringRowMapper(inputSchema, _scoring);

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

    void ICanSaveModel.Save(ModelSaveContext ctx) => SavedNetwork.Save(ctx, ToSaved(), FeatureColumnName, Scorer.RowLength);

    /// <summary>Releases the model.</summary>
    /// <param name="disposing">Whether <see cref="Dispose()"/> was called.</param>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing) _scoring.Scorer.Dispose();
    }

    /// <summary>The form in which ML.NET saves the network.</summary>
    private protected abstract SavedForm ToSaved();
}
