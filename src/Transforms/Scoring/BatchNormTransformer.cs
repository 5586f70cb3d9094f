using Microsoft.ML;
using Microsoft.ML.Data;
using MlNetBatchNorm.Onnx;
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
public abstract class BatchNormTransformer : ITransformer, IDisposable
{
    private readonly RowScoring _scoring;
    private readonly Device _device;

    private protected BatchNormTransformer(FittedNetwork fitted, string[] outputs, IReadOnlyList<ScoreColumn> columns)
    {
        _device = fitted.Device;
        Network = fitted.Network;
        Export = fitted.Export;
        var scorer = Scorer.Load(fitted.Export.Folded, new ScorerSettings { Device = fitted.Device, Outputs = outputs });
        _scoring = new RowScoring(scorer, fitted.FeatureColumnName, columns);
    }

    /// <summary>What is predicted.</summary>
    public abstract TaskKind Task { get; }

    /// <summary>The network with its parameters and the history of its training.</summary>
    public TrainedNetwork Network { get; }

    /// <summary>The network as ONNX, unfolded and folded, and how far the two differ.</summary>
    public ExportedNetwork Export { get; }

    /// <summary>The column that is read.</summary>
    public string FeatureColumnName => _scoring.FeatureColumnName;

    /// <summary>The scorer behind the transformer, for use without ML.NET.</summary>
    public Scorer Scorer => _scoring.Scorer;

    /// <summary>Always true: each row is scored by itself.</summary>
    public bool IsRowToRowMapper => true;

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

    /// <summary>
    /// A transformer with the same weights whose batch normalizations have the statistics of given rows (Ioffe and Szegedy 2015, Algorithm 2): for
    /// rows that differ from those it was trained on, or where training warned that its statistics are far off. This one stays as it is.
    /// </summary>
    /// <param name="rows">A view with the feature column; a label is not looked at.</param>
    /// <exception cref="ArgumentException">The column is missing or does not fit, or the rows are too few to have a variance.</exception>
    public abstract BatchNormTransformer RecomputeStatistics(IDataView rows);

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

    private protected FittedNetwork Recompute(IDataView rows)
    {
        ArgumentNullException.ThrowIfNull(rows);

        // The features stand in for a label, which nobody looks at.
        var reader = new TrainingRowReader(rows, FeatureColumnName, FeatureColumnName, weight: null, Network.Network.InputShape);
        var data = reader.Read<VBuffer<float>>((int)Network.Network.OutputShape.Count, (_, _) => null, CancellationToken.None);
        var network = Network.RecomputeStatistics(data);
        var metadata = Export.Unfolded.MetadataProps.Where(entry => entry.Key != ModelMetadata.Statistics).ToDictionary(entry => entry.Key, entry => entry.Value);
        var options = new ExportOptions { Opset = (int)Export.Unfolded.OpsetImport.First(opset => opset.Domain.Length == 0).Version, Metadata = metadata };
        return new FittedNetwork(network, NetworkExporter.Export(network, data.First(FittedNetwork.VerificationRows), options), FeatureColumnName, _device);
    }

    /// <summary>The form in which ML.NET saves the network.</summary>
    private protected abstract SavedForm ToSaved();
}
